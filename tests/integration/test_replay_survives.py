"""Whatever dies during the replay, it ends in the same state: nothing lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path

from tests.integration.replay_home import CALM, PaperRun, audit, make_home, run_paper


def test_kill_9_of_each_service_in_turn(reference: tuple[Path, str], tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    run = PaperRun(home)
    try:
        for tick, name in enumerate(
            ["oms", "riskengine", "operations", "research", "marketdata", "nats"]
        ):
            run.until_tick(50 + 25 * tick)
            run.kill(name)
        assert run.finish() == reference[1]
    finally:
        run.stop()
    orders = [e["subject_id"] for e in audit(home) if e["action"] == "order_created"]
    assert len(orders) == len(set(orders))


def test_ctrl_c_and_again(reference: tuple[Path, str], tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    run = PaperRun(home)
    try:
        run.until_tick(80)
        assert run.interrupt() == 130
        assert "run it again" in run.output()
    finally:
        run.stop()
    assert run_paper(home) == reference[1]


def test_an_interrupted_run_goes_on_over_the_local_bus(
    reference: tuple[Path, str], tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", CALM)
    run = PaperRun(home, "--layout", "one", "--bus", "local")
    try:
        run.until_tick(80)
        run.kill("all")
        assert run.finish() == reference[1]
    finally:
        run.stop()
