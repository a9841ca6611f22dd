"""A sweep that was stopped goes on where it was, for the same code alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mts1b_oms.simulation.cli import app
from mts1b_oms.simulation.sweep import sweep
from mts1b_oms.simulation.sweep_log import PACKAGES, BadSweepLog, SweepLog
from mts1b_oms.simulation.world import Outcome
from mts1b_platform.source_code import source_digest
from typer.testing import CliRunner

ENDED = Outcome(7, "I1 twice", "ab", {"crash.oms": 3}, ["a line"], 61.5)


def logged(path: Path, *, orders: int = 5, code: str = "c") -> dict[int, Outcome]:
    with closing(SweepLog(path, orders=orders, code=code)) as log:
        return log.known


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "sweep.jsonl"
    with closing(SweepLog(file, orders=5, code="c")) as log:
        log.add(ENDED)
    return file


def test_what_was_added_is_known_but_for_its_trace(path: Path) -> None:
    (known,) = logged(path).values()
    assert (known.seed, known.violation, known.digest) == (7, "I1 twice", "ab")
    assert (known.counters, known.virtual_s, known.trace) == ({"crash.oms": 3}, 61.5, [])


def test_other_code_and_other_orders_are_not_counted(path: Path) -> None:
    assert logged(path, code="d") == {}
    assert logged(path, orders=6) == {}


def test_a_line_that_was_cut_off_is_taken_away(path: Path) -> None:
    whole = path.read_text()
    path.write_text(whole + whole[:-9])
    assert list(logged(path)) == [7]
    assert path.read_text() == whole


@pytest.mark.parametrize("line", ["junk", "[]", '{"code":"c","orders":5,"outcome":{"sed":1}}'])
def test_what_is_no_log_is_refused_and_left_alone(path: Path, line: str) -> None:
    path.write_text(text := path.read_text() + line + "\n")
    with pytest.raises(BadSweepLog, match="line 2"):
        logged(path)
    assert path.read_text() == text


def test_a_sweep_does_not_run_what_is_known() -> None:
    clock = iter((1.0, 3.0))
    report = sweep((7,), orders=5, jobs=1, now=lambda: next(clock), known={7: ENDED, 8: ENDED})
    assert (report.seeds, report.before, report.violations) == (1, 1, [(7, "I1 twice")])
    assert "1 of them before, 0 now, by the same code" in report.lines()


def test_the_command_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"
    for last in (1, 2):
        asked = ["sweep", "--seeds", f"1..{last}", "--orders", "3", "--jobs", "1", "--log"]
        result = CliRunner().invoke(app, [*asked, str(file)])
        assert result.exit_code == 0, result.output
    assert "1 of them before, 1 now" in result.output
    assert len(file.read_text().splitlines()) == 2
    assert source_digest(*PACKAGES) in file.read_text()
