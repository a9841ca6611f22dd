"""The simulator: seeds replay, shrink and are counted, and a planted fault is found."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mts1b_oms.simulation import Outcome, SweepReport, planted, run_seed, shrink
from mts1b_oms.simulation.cli import app
from mts1b_oms.simulation.mutants import (
    Mutant,
    MutantInvalid,
    Verdict,
    judge,
    known_mutants,
)
from mts1b_platform.simulation import Faults
from typer.testing import CliRunner

DIGESTS = (
    "import sys; from mts1b_oms.simulation import run_seed; "
    "outcomes = [run_seed(int(seed), orders=20) for seed in sys.argv[1:]]; "
    "print(outcomes[-1].digest, outcomes[-1].violation)"
)


def in_a_new_process(hash_seed: str, *seeds: int) -> str:
    """Run seeds one after the other; return what the last one printed."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, *map(str, seeds)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_seed_replays_to_the_byte_under_another_hash_seed_and_after_others() -> None:
    first, second = in_a_new_process("1", 4), in_a_new_process("2", 2, 4)
    assert first == second
    assert len(first.split()) == 1, "it violates something"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_seeds_hold(seed: int) -> None:
    outcome = run_seed(seed, orders=60)
    assert outcome.violation == ""
    assert outcome.virtual_s > 100


def test_a_run_without_faults_answers_every_order() -> None:
    outcome = run_seed(1, orders=30, faults=Faults.none())
    assert outcome.violation == ""
    assert not [name for name in outcome.counters if name.startswith(("crash", "bus", "client"))]
    assert outcome.counters["answer.accepted"] > 0


def test_p8_nobody_is_told_of_anything_while_nothing_happens_after_every_fault() -> None:
    outcome = run_seed(8, orders=20, quiet_s=600.0)
    assert outcome.violation == ""
    assert outcome.virtual_s > 700
    played = [name for name in outcome.counters if name[0].isupper() and name[1].isdigit()]
    assert len(played) >= 10, "the weather was too good"


def plant(
    old: str, new: str, module: str = "mts1b_oms.gateway"
) -> subprocess.CompletedProcess[str]:
    asked = {"module": module, "old": old, "new": new, "seeds": [*range(1, 13)], "orders": 60}
    return subprocess.run(
        [sys.executable, "-P", str(planted.__file__)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_order_path_that_forgets_the_lease_is_found() -> None:
    done = plant("if not self.lease.valid():", "if False:")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["violation"].startswith("I7")


def test_an_open_order_that_the_record_has_ended_is_found_before_the_run_ends() -> None:
    silent = 'return Silent(f"{type(error).__name__}: {error}")\n        finally'
    done = plant(silent, 'return Refused("TIMEOUT", "")\n        finally')
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["violation"]
    assert said.startswith("P4")
    assert said.endswith("is open at the venue and over here")


def test_a_fault_that_is_planted_nowhere_is_an_error() -> None:
    assert "LookupError" in plant("no such line", "").stderr
    assert "not part of the order path" in plant("import", "import", "json.tool").stderr


def fails_with(*names: str, least: int) -> object:
    def run(seed: int, *, orders: int, faults: Faults) -> Outcome:
        fails = orders >= least and all(name in faults.active() for name in names)
        return Outcome(seed, "I1 twice" if fails else "")

    return run


def test_a_failing_seed_shrinks_to_what_it_needs() -> None:
    faults = Faults(bus_loss=0.1, ack_loss=0.1, crash_per_min=1.0, venue_timeout=0.2)
    run = fails_with("bus_loss", "crash_per_min", least=30)
    found = shrink(7, orders=200, faults=faults, run=run)  # type: ignore[arg-type]
    assert found is not None
    assert set(found.faults.active()) == {"bus_loss", "crash_per_min"}
    assert found.orders == 50
    assert found.outcome.violation


def test_a_seed_that_holds_does_not_shrink() -> None:
    run = fails_with(least=1000)
    assert shrink(7, orders=10, faults=Faults.none(), run=run) is None  # type: ignore[arg-type]


def test_the_report_bounds_what_was_not_seen_and_marks_what_is_seldom() -> None:
    report = SweepReport(orders=200, seconds=2.0)
    for seed in range(300):
        report.add(Outcome(seed, counters={"A3 executed": 1, "bus.wipe": seed // 299}))
    text = "\n".join(report.lines())
    assert "300 seeds of 200 orders, 0 violations" in text
    assert "150.00 seeds/s" in text
    assert report.bound == pytest.approx(0.01)
    assert "300  A3 executed\n" in text
    assert "1  bus.wipe  (seldom)" in text
    report.add(Outcome(300, "I1 again"))
    assert "seed 300: I1 again" in report.lines()
    assert not [line for line in report.lines() if "3/n" in line]


def test_run_prints_the_digest_and_writes_the_trace(tmp_path: Path) -> None:
    target = tmp_path / "trace.txt"
    arguments = ["run", "--seed", "5", "--orders", "5", "--trace", str(target)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "every invariant holds" in result.output
    assert target.read_text(encoding="utf-8").startswith("0.000000 start operations 1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "--seeds", "5..1"],
        ["sweep", "--seeds", "x"],
        ["run", "--seed", "1", "--without", "gravity"],
    ],
)
def test_bad_words_are_told(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2


def test_a_sweep_takes_every_seed() -> None:
    result = CliRunner().invoke(app, ["sweep", "--seeds", "1..2", "--orders", "5", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    assert "2 seeds of 5 orders, 0 violations" in result.output


def test_every_mutant_can_be_planted() -> None:
    mutants = known_mutants()
    assert len(mutants) >= 60
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        spec = importlib.util.find_spec(mutant.module)
        assert spec is not None, mutant
        assert spec.origin is not None
        text = Path(spec.origin).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.name
        assert set(mutant.faults) <= set(Faults.names()), mutant.name
        compile(text.replace(mutant.old, mutant.new), spec.origin, "exec")


def test_mutants_are_judged_by_name() -> None:
    arguments = ["mutants", "--only", "no approval is consumed", "--seeds", "3", "--orders", "40"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 of 1 mutants killed" in result.output
    assert CliRunner().invoke(app, ["mutants", "--only", "gravity"]).exit_code == 2


async def test_a_run_that_a_signal_ends_has_found_nothing() -> None:
    fatal = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    first = "from collections.abc import"
    ended = Mutant("ended", "mts1b_oms.gateway", first, f"{fatal}\n{first}")
    verdict = await judge(ended, seeds=[1], orders=10)
    assert verdict == Verdict(ended, 0, "")


async def test_a_mutant_that_changes_nothing_survives() -> None:
    same = Mutant("nothing", "mts1b_oms.gateway", "if age <= lag:", "if age <= lag + 0.0:")
    verdict = await judge(same, seeds=[1], orders=10)
    assert verdict == Verdict(same, 1, "")
    assert str(verdict).startswith("SURVIVED")
    with pytest.raises(MutantInvalid, match="not once"):
        await judge(Mutant("none", "mts1b_oms.gateway", "no such", ""), seeds=[1], orders=10)
