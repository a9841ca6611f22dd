"""A finished run is moved aside whole; an open one is left where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mts1b_deploy.errors import HaltInForce
from mts1b_deploy.runs import Progress, archive_finished, is_open, read_progress, read_result

MOVED = ("audit", "db", "halt", "logs", "nats", "run")
KEPT = ("keys", "lake")


def begin_run(home: Path, mark: str) -> None:
    for name in (*MOVED, *KEPT):
        (home / name).mkdir(exist_ok=True)
        (home / name / "mark").write_text(mark)
    (home / "mts.yaml").write_text("mode: paper\n")


def finish_run(home: Path, mark: str) -> None:
    begin_run(home, mark)
    (home / "run" / "result.json").write_text(json.dumps({"state_hash": mark}))


def test_progress_and_result_are_read(tmp_path: Path) -> None:
    assert (read_progress(tmp_path), read_result(tmp_path), is_open(tmp_path)) == (
        None,
        None,
        False,
    )
    begin_run(tmp_path, "one")
    progress = {"tick": 4, "total": 9, "as_of": "2020-01-02T21:00:00Z", "state": "running"}
    (tmp_path / "run" / "progress.json").write_text(json.dumps(progress | {"error": "none"}))
    assert read_progress(tmp_path) == Progress(4, 9, "2020-01-02T21:00:00Z", "running")
    assert is_open(tmp_path)
    finish_run(tmp_path, "one")
    assert read_result(tmp_path) == {"state_hash": "one"}
    assert not is_open(tmp_path)


def test_a_run_before_its_first_tick_has_no_time(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    text = json.dumps({"tick": -1, "total": 9, "as_of": None, "state": "running"})
    (tmp_path / "run" / "progress.json").write_text(text)
    assert read_progress(tmp_path) == Progress(-1, 9, "", "running")


def test_an_open_run_is_not_moved(tmp_path: Path) -> None:
    begin_run(tmp_path, "one")
    assert archive_finished(tmp_path) is None
    assert (tmp_path / "db" / "mark").exists()
    assert not (tmp_path / "archive").exists()


def test_a_finished_run_is_moved_and_keys_data_and_settings_stay(tmp_path: Path) -> None:
    finish_run(tmp_path, "one")
    target = archive_finished(tmp_path)
    assert target == tmp_path / "archive" / "000001"
    assert sorted(item.name for item in target.iterdir()) == sorted(MOVED)
    left = sorted(item.name for item in tmp_path.iterdir())
    assert left == sorted(["archive", "mts.yaml", *KEPT])
    assert archive_finished(tmp_path) is None


def test_the_last_three_are_kept(tmp_path: Path) -> None:
    for number in range(1, 6):
        finish_run(tmp_path, str(number))
        archive_finished(tmp_path)
    kept = sorted((tmp_path / "archive").iterdir())
    assert [item.name for item in kept] == ["000003", "000004", "000005"]
    assert [(item / "db" / "mark").read_text() for item in kept] == ["3", "4", "5"]


@pytest.mark.parametrize("moved_before", range(len(MOVED)))
def test_a_crash_while_archiving_is_finished_the_next_time(
    tmp_path: Path, moved_before: int
) -> None:
    for mark in ("1", "2", "3"):
        finish_run(tmp_path, mark)
        archive_finished(tmp_path)
    finish_run(tmp_path, "4")
    half = tmp_path / "archive" / "000004"
    half.mkdir()
    for name in [*(one for one in MOVED if one != "run"), "run"][:moved_before]:
        os.replace(tmp_path / name, half / name)
    assert archive_finished(tmp_path) == half
    assert {name: (half / name / "mark").read_text() for name in MOVED} == dict.fromkeys(MOVED, "4")
    kept = sorted(item.name for item in (tmp_path / "archive").iterdir())
    assert kept == ["000002", "000003", "000004"]
    assert not any((tmp_path / name).exists() for name in MOVED)


def halted(home: Path, requested_by: str, scope: str = "firm") -> None:
    halt = {"scope": scope, "reason": "drill", "requested_by": requested_by}
    (home / "halt" / "halts.json").write_text(json.dumps({"epoch": 3, "active": [halt]}))


@pytest.mark.parametrize("who", ["operator:ann", "mts1b-operations", "a-watchdog-of-ours"])
def test_a_halt_that_the_run_did_not_make_is_not_archived(tmp_path: Path, who: str) -> None:
    finish_run(tmp_path, "one")
    halted(tmp_path, who, "fund:alpha")
    with pytest.raises(HaltInForce, match="resume fund:alpha --operator NAME`, then run again"):
        archive_finished(tmp_path)
    assert (tmp_path / "halt" / "halts.json").exists()
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("who", ["mts1b-riskengine", "oms"])
def test_a_halt_that_the_run_made_belongs_to_it(tmp_path: Path, who: str) -> None:
    finish_run(tmp_path, "one")
    halted(tmp_path, who)
    assert archive_finished(tmp_path) is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"active": 3}', '{"active": [{"scope": 1}]}'])
def test_a_record_that_says_nothing_is_a_halt(tmp_path: Path, text: str) -> None:
    finish_run(tmp_path, "one")
    (tmp_path / "halt" / "halts.json").write_text(text)
    with pytest.raises(HaltInForce, match="`mts up` once"):
        archive_finished(tmp_path)


def test_a_record_that_is_gone_is_a_halt(tmp_path: Path) -> None:
    finish_run(tmp_path, "one")
    (tmp_path / "halt" / "halts.kept").touch()
    with pytest.raises(HaltInForce, match="can not be read"):
        archive_finished(tmp_path)
