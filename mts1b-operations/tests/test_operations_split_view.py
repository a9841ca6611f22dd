"""Two readers, two logs (J3): each verifies, laid side by side they do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mts1b_operations.audit import AuditReader, ChainIntegrityError
from mts1b_operations.audit.split_view import View, compare_views, read_checkpoints
from mts1b_operations.cli import app
from mts1b_operations.parts import Parts
from mts1b_operations.tables import METADATA
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store
from typer.testing import CliRunner

START = datetime(2008, 9, 15, 20, tzinfo=UTC)


async def log_of(home: Path, entries: list[str], keys: Path | None = None) -> Path:
    """Write a log of ``entries``; with the keys of another home where given."""
    if keys is not None:
        (home / "keys").mkdir(parents=True)
        for key in (keys / "keys").iterdir():
            target = home / "keys" / key.name
            target.write_bytes(key.read_bytes())
            target.chmod(0o600)
    store = await Store.open(
        home / "db" / "operations.sqlite", metadata=METADATA, name="operations"
    )
    parts = Parts.on(store, home, VirtualClock(START))
    for entry in entries:
        await parts.audit.append(actor="oms", action="order_created", subject_id=entry)
    await parts.audit.checkpoint()
    await store.close()
    return home


def compared(mine: Path, theirs: Path, evidence: Path) -> View:
    ring = KeyRing(mine / "keys", SystemRng())
    with AuditReader(mine) as reader:
        shown = read_checkpoints(theirs / "audit" / "checkpoints")
        hashes = [row[1] for row in reader.rows()]
        return compare_views(hashes, shown, ring, evidence=evidence)


async def test_j3_two_readers_who_were_shown_two_logs_find_it_out_and_keep_the_proof(
    tmp_path: Path,
) -> None:
    mine = await log_of(tmp_path / "mine", ["o-1", "o-2", "o-3", "o-4"])
    theirs = await log_of(tmp_path / "theirs", ["o-1", "o-2", "o-9", "o-4"], mine)
    for home in (mine, theirs):
        with AuditReader(home) as reader:
            assert reader.verify()[0] == 4, "each alone finds nothing"

    with pytest.raises(ChainIntegrityError, match="shown another log") as caught:
        compared(mine, theirs, tmp_path)

    assert caught.value.index == 2
    proof = json.loads((tmp_path / "split-view-3.json").read_text())
    assert proof["theirs"]["size"] == proof["ours"]["size"] == 3
    assert proof["theirs"]["root"] != proof["ours"]["root"]
    assert proof["theirs"]["signature"], "without the signature it proves nothing"
    assert len(proof["ours"]["hashes"]) == 3


async def test_j3_a_longer_and_a_shorter_view_of_one_log_are_one_log(tmp_path: Path) -> None:
    mine = await log_of(tmp_path / "mine", ["o-1", "o-2", "o-3"])
    theirs = await log_of(tmp_path / "theirs", ["o-1", "o-2"], mine)
    assert compared(mine, theirs, tmp_path) is View.SAME
    assert compared(theirs, mine, tmp_path) is View.AHEAD
    assert not list(tmp_path.glob("split-view*"))


async def test_a_view_that_the_key_of_the_log_did_not_sign_proves_nothing(tmp_path: Path) -> None:
    mine = await log_of(tmp_path / "mine", ["o-1"])
    theirs = await log_of(tmp_path / "theirs", ["o-2"])
    with pytest.raises(ChainIntegrityError, match="not signed"):
        compared(mine, theirs, tmp_path)
    assert not list(tmp_path.glob("split-view*"))


async def test_j3_the_command_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await log_of(tmp_path / "mine", ["o-1", "o-2"])
    other = await log_of(tmp_path / "other", ["o-1", "o-3"], mine)
    longer = await log_of(tmp_path / "longer", ["o-1", "o-2", "o-3"], mine)
    monkeypatch.setenv("MTS_HOME", str(mine))

    def compare(path: Path) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["audit", "compare", str(path)])
        return done.exit_code, done.output

    code, said = compare(mine / "audit" / "checkpoints")
    assert (code, said.startswith("true: ")) == (0, True)
    code, said = compare(other / "audit" / "checkpoints")
    assert code == 1
    assert "split-view-2.json" in said.replace("\n", "")
    assert (mine / "audit" / "split-view-2.json").exists()
    assert compare(longer / "audit" / "checkpoints")[0] == 1
    assert compare(tmp_path / "none")[0] == 2
