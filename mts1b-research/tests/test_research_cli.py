"""`mts research` says what is configured, what is wrong with it, and what was planned."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_platform.store import StoreError
from mts1b_research import UnknownStrategy
from mts1b_research.cli import app
from research_desk import AAA, Desk, Oms, bar, day, settings
from typer.testing import CliRunner

FUND = {
    "fund": {"fund_id": "f1", "name": "One", "target_nav_usd": "1000"},
    "envelope": {"envelope_id": "e1", "fund_id": "f1", "nav_usd": "1000"},
}


def configure(home: Path, **changes: Any) -> None:
    entry = settings(**changes).model_dump(mode="json")
    (home / "mts.yaml").write_text(yaml.safe_dump({"funds": [FUND], "strategies": [entry]}))


def research(home: Path, *words: str) -> str:
    """Return what `mts research` prints; raise what it raises."""
    done = CliRunner().invoke(app, words, env={"MTS_HOME": str(home)}, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_configured_strategies_are_shown(tmp_path: Path) -> None:
    configure(tmp_path)
    kinds, line = research(tmp_path, "strategies").strip().splitlines()
    assert "trend_following" in kinds
    assert line.startswith("s1: trend_following on AAA for f1; lookback=3")
    (row,) = json.loads(research(tmp_path, "strategies", "--json"))["strategies"]
    assert (row["strategy_id"], row["fund_id"], row["params"]["window"]) == ("s1", "f1", 5)


def test_wrong_settings_end_with_exit_code_3(tmp_path: Path) -> None:
    configure(tmp_path, params={"lokback": 3})
    done = subprocess.run(
        [sys.executable, "-m", "mts1b_platform.cli", "research", "strategies"],
        env={**os.environ, "MTS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert "strategy s1: unknown parameter 'lokback'" in done.stderr


def test_an_unknown_kind_is_a_matter_of_configuration(tmp_path: Path) -> None:
    configure(tmp_path, kind="no_such")
    with pytest.raises(UnknownStrategy, match="s1: no kind 'no_such'") as caught:
        research(tmp_path, "strategies")
    assert caught.value.exit_code == 3


async def _trade(path: Path) -> list[str]:
    desk = await Desk.open(path, Oms(), settings())
    for number in range(10):
        await desk.bars(bar(AAA, number, 100 + number + number % 2 * 5))
        await desk.runner.on_bar(day(number))
    planned = [row.plan_id for row in await desk.plans()]
    await desk.store.close()
    return planned


def test_the_plans_are_read_from_the_store(tmp_path: Path) -> None:
    configure(tmp_path)
    with pytest.raises(StoreError, match="no store at"):
        research(tmp_path, "plans")
    planned = asyncio.run(_trade(tmp_path / "db" / "research.sqlite"))
    assert len(planned) == 3
    found = json.loads(research(tmp_path, "plans", "--json", "--last", "2"))["items"]
    assert [plan["plan_id"] for plan in found] == planned[-2:]
    lines = research(tmp_path, "plans", "--strategy", "s1").splitlines()
    assert lines[0] == "2020-01-07 s1: buy 131 AAA at about 110.0"
    assert lines[1] == "2020-01-09 s1: no orders"
    assert research(tmp_path, "plans", "--strategy", "s2") == "no plans yet\n"
