"""A digest of source files: the same for the same code, another for any change of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mts1b_platform.source_code import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "some_code"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("A = 1\n")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "part.py").write_text("B = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_code", raising=False)
    return folder


def test_only_source_counts_and_all_of_it_does(package: Path) -> None:
    first = source_digest("some_code")
    (package / "notes.txt").write_text("no code")
    assert source_digest("some_code") == first
    (package / "inner" / "part.py").write_text("B = 3\n")
    changed = source_digest("some_code")
    (package / "inner" / "part.py").rename(package / "inner" / "piece.py")
    assert len({first, changed, source_digest("some_code")}) == 3


def test_a_package_that_is_not_there_is_told() -> None:
    with pytest.raises(ModuleNotFoundError):
        source_digest("no_such_code")
