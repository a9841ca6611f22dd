"""What a write has returned from is on disk: the file first, then its name."""

import os
from pathlib import Path

import pytest
from mts1b_platform.durable_file import append_durably, write_durably
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes | None]]:
    """Return what was synced: names, and what was in each file at that time."""
    acts: list[tuple[str, bytes | None]] = []

    def sync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        acts.append((path.name, path.read_bytes() if path.is_file() else None))

    monkeypatch.setattr(os, "fsync", sync)
    return acts


def test_a_replaced_file_is_synced_under_both_names(
    tmp_path: Path, synced: list[tuple[str, bytes | None]]
) -> None:
    write_durably(tmp_path / "new" / "a.json", "one")
    assert synced == [("a.partial", b"one"), ("new", None)]
    assert (tmp_path / "new" / "a.json").read_text() == "one"


def test_what_is_appended_is_synced_and_a_new_name_too(
    tmp_path: Path, synced: list[tuple[str, bytes | None]]
) -> None:
    for text in ("one ", "two"):
        append_durably(tmp_path / "new" / "a.txt", text)
    assert synced == [("a.txt", b"one "), ("new", None), ("a.txt", b"one two")]


def test_no_key_is_in_place_before_it_is_on_disk(
    tmp_path: Path, synced: list[tuple[str, bytes | None]]
) -> None:
    KeyRing(tmp_path / "keys", SeededRng(1)).create("risk")
    written = [(name.rpartition(".")[0], len(text or b"")) for name, text in synced]
    assert written == [("risk.key", 64), ("risk.pub", 64)]
    for name, text in synced:
        assert (tmp_path / "keys" / name.rpartition(".")[0]).read_bytes() == text
