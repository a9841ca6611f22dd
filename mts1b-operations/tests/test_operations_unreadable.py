"""Homes that can not be read: what could not be looked at is never told as nothing."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mts1b_operations import cli
from mts1b_operations.commands import halt_request
from mts1b_operations.errors import AuditUnavailable
from mts1b_operations.halt_record import halt_of, put_in_force
from mts1b_platform.clock import SystemClock
from mts1b_platform.halt import HaltStore
from operations_terminal import Run
from operations_world import STRATEGY


def garbage(path: Path) -> None:
    path.write_bytes(b"\x93no database" * 4000)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


READING: dict[str, tuple[object, list[str]]] = {
    "why": (cli.why, ["ord-0"]),
    "report": (cli.report, ["build"]),
    "tail": (cli.app, ["audit", "tail"]),
    "show": (cli.app, ["audit", "show", "--subject-id", "ord-0"]),
    "export": (cli.app, ["audit", "export", "out.log"]),
    "watchdogs": (cli.app, ["watchdog", "status"]),
}


@pytest.fixture(params=[garbage, emptied, folder])
def spoiled(home: Path, request: pytest.FixtureRequest) -> Path:
    """Return a home whose store is something else."""
    path = home / "db" / "operations.sqlite"
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    spoil: Callable[[Path], None] = request.param
    spoil(path)
    return home


def test_what_can_not_be_read_is_unavailable_and_no_defect(
    mts: Run, spoiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(spoiled)
    for group, words in READING.values():
        told = mts(group, *words, code=4)
        assert isinstance(told.exception, AuditUnavailable), words


def test_status_shows_the_halts_and_says_that_the_funds_are_not_known(
    mts: Run, spoiled: Path
) -> None:
    clock, scope = SystemClock(), f"strategy:{STRATEGY}"
    request = halt_request(scope, reason="fire drill", actor="operator:jane", clock=clock)
    put_in_force(HaltStore(spoiled / "halt"), halt_of(request, clock.now()))
    text = mts(cli.status, code=1).output
    assert "HALTED    strategy:trend-ixic: fire drill" in text
    assert "fund      not known: the audit store" in text
    found = json.loads(mts(cli.status, "--json", code=1).output)
    assert (found["funds"], found["exit_code"]) == ([], 1)


def test_a_file_that_can_not_be_written_is_a_wrong_argument(mts: Run, home: Path) -> None:
    mts(cli.app, "audit", "export", str(home / "absent" / "out.log"), code=2)
    (home / "reports").touch()
    assert "can not be written" in str(mts(cli.report, "build", code=2).exception)


def unboxed(text: str) -> str:
    """Return what stands in a box on the terminal, as one line."""
    return re.sub(r"[│\s]+", " ", text)


def test_what_can_not_be_written_leaves_nothing_half_done(
    mts: Run, home: Path, tmp_path: Path
) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    for words in (
        ("export", str(target)),
        ("prove", "0", "--out", str(target)),
    ):
        assert "can not be written" in unboxed(mts(cli.app, "audit", *words, code=2).stderr)
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_without_a_checkpoint_shows_nothing(mts: Run, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    refused = mts(cli.app, "audit", "compare", str(tmp_path / "none"), code=2)
    assert "holds no checkpoint" in unboxed(refused.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "tail", "-n", "9" * 30),
        ("watchdog", "pause", "--watchdog", "vol_dd", "--minutes", "1e300"),
        ("watchdog", "pause", "--watchdog", "vol_dd", "--minutes", "inf"),
    ],
)
def test_a_number_without_measure_is_a_wrong_argument(mts: Run, words: tuple[str, ...]) -> None:
    assert "Traceback" not in mts(cli.app, *words, code=2).output


def test_one_row_that_makes_no_sense_is_told(mts: Run, home: Path) -> None:
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        db.execute("UPDATE audit_entries SET timestamp = 'soon' WHERE action = 'nav_updated'")
    db.close()
    assert isinstance(mts(cli.app, "audit", "tail", code=4).exception, AuditUnavailable)
    assert "not known" in mts(cli.status, code=1).output


def test_a_home_before_its_first_run_is_no_failure(mts: Run, home: Path) -> None:
    (home / "db" / "operations.sqlite").unlink()
    assert "not known" not in mts(cli.status).output
    mts(cli.app, "watchdog", "status")


def test_a_system_that_was_killed_is_told_from_one_that_was_stopped(mts: Run, home: Path) -> None:
    assert "CRASHED" not in mts(cli.status).output
    ended = subprocess.Popen(["true"])
    ended.wait()
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "supervisor.json").write_text(json.dumps({"pid": ended.pid}))
    assert f"CRASHED   the supervisor (pid {ended.pid})" in mts(cli.status, code=1).output
    refused = mts(cli.cmd, "restart-all", code=4)
    assert "was killed; start the system with `mts up`" in str(refused.exception)
    (home / "run" / "supervisor.json").write_text(json.dumps({"pid": os.getpid()}))
    assert "CRASHED" not in mts(cli.status, code=1).output  # but what should run is missing
