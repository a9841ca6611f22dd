"""What a stranger meets: `mts up` and `mts paper` in an empty home, or with wrong settings."""

from __future__ import annotations

import json
import signal
import subprocess
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from mts1b_brokers import create_venue
from mts1b_deploy.runs import archive_finished
from mts1b_operations.cli import doctor
from mts1b_platform.cli import root
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.errors import PlatformError
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import SequentialIds
from mts1b_research.errors import ResearchError
from mts1b_research.registry import StrategyRegistry
from mts1b_research.sleeves import sleeves_of
from typer.testing import CliRunner

from tests.integration.replay_home import CALM, MTS, environment, make_home, mts, settings


def test_up_refuses_broken_settings_before_it_starts_anything(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").write_text("rsk: {}\n")
    done = mts(tmp_path, "up", check=False)
    assert done.returncode == 3, done.stderr
    assert "rsk" in done.stderr
    assert not (tmp_path / "logs").exists()


FUNDS = CALM["funds"]
REFUSED: dict[str, dict[str, Any]] = {
    "live": {"mode": "live"},
    "shadow": {"mode": "shadow"},
    "no such broker": {"funds": [f | {"fund": f["fund"] | {"broker": "nope"}} for f in FUNDS]},
    "no such kind": {"strategies": [CALM["strategies"][0] | {"kind": "nope"}]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_config_check_says_what_the_start_would_say(tmp_path: Path, name: str) -> None:
    home = make_home(tmp_path / "home", CALM | REFUSED[name])
    read = load_settings(home, environ={})
    with pytest.raises((PlatformError, ResearchError)) as at_the_start:
        create_venue(read, home=home, clock=SystemClock(), ids=SequentialIds())
        sleeves_of(read, StrategyRegistry())
    runner = CliRunner(env={"MTS_HOME": str(home)})
    checked = runner.invoke(root, ["config", "check"])
    assert type(checked.exception) is type(at_the_start.value)
    assert str(checked.exception) == str(at_the_start.value)
    found = json.loads(runner.invoke(doctor, ["--json"]).output)["items"]
    told = next(finding for finding in found if finding["check"] == "config")
    assert (told["verdict"], told["detail"]) == ("fail", str(at_the_start.value))
    assert not any(home.glob("*/")), "nothing was created"


def test_config_check_warns_of_a_cap_that_an_earlier_profile_had(tmp_path: Path) -> None:
    """An index is of no sector: the cap of one denied what the profile's funds ordered."""
    fund, *others = FUNDS
    narrow = fund | {"envelope": fund["envelope"] | {"max_sector_pct": 0.3}}
    capped = {"funds": [narrow, *others]}
    home = make_home(tmp_path / "home", CALM | capped)
    runner = CliRunner(env={"MTS_HOME": str(home)})
    (line,) = json.loads(runner.invoke(root, ["config", "check", "--json"]).output)["warnings"]
    assert "of which 0.3 of NAV may be held" in line
    assert f"warning: {line}" in runner.invoke(root, ["config", "check"]).output
    (home / "mts.yaml").write_text(
        (home / "mts.yaml").read_text().replace("sector_pct: 0.3", "sector_pct: 1")
    )
    assert json.loads(runner.invoke(root, ["config", "check", "--json"]).output)["warnings"] == []


def test_up_in_an_empty_home_has_the_tape_that_its_profile_names(tmp_path: Path) -> None:
    home = tmp_path / "home"
    running = subprocess.Popen(
        [MTS, "up", "--layout", "one", "--json"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    said = json.loads(running.stdout.readline())
    assert said["processes"] == ["nats", "all"]
    assert (home / "lake" / "bars" / "sample" / "manifest.json").exists()
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 0
    running.communicate()


def test_up_as_json_is_one_object_also_when_its_end_fails(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM | {"replay": {"enabled": False}, "operator": {}})
    running = subprocess.Popen(
        [MTS, "up", "--layout", "one", "--bus", "local", "--json"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert json.loads(running.stdout.readline())["processes"] == ["all"]
    record = home / "run" / "supervisor.json"
    record.unlink()
    record.mkdir()  # which can not be removed as the file that it should be
    running.send_signal(signal.SIGTERM)
    out, errors = running.communicate(timeout=60)
    assert (running.returncode, out) == (4, "")
    assert "error: " in errors


def test_paper_as_json_is_one_object(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", settings("1999-01-04T00:00:00Z", "1999-01-20T00:00:00Z"))
    done = mts(home, "paper", "--layout", "one", "--json")
    assert len(json.loads(done.stdout)["state_hash"]) == 64


def test_no_new_run_drops_a_halt_that_a_person_asked_for(tmp_path: Path) -> None:
    """The record is written by `mts cmd halt` itself, so both packages mean the same file."""
    home = make_home(tmp_path / "home", CALM)
    (home / "run").mkdir()
    (home / "run" / "result.json").write_text("{}")
    mts(home, "cmd", "halt", "--yes", "--reason", "drill", "--operator", "ann")
    refused = mts(home, "paper", "--json", check=False)
    told = json.loads(refused.stdout)
    assert (refused.returncode, told["exit_code"], told["error"]) == (5, 5, "HaltInForce")
    assert "firm by operator:ann ('drill')" in told["message"]
    record = HaltStore(home / "halt")
    assert record.state().active
    record.lift("firm")
    assert archive_finished(home) is not None


def test_a_failure_as_json_holds_its_exit_code(tmp_path: Path) -> None:
    done = mts(tmp_path / "home", "up", "--profile", "nope", "--json", check=False)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 3


@pytest.mark.parametrize("point", entry_points(group="mts1b.cli"), ids=lambda point: point.name)
def test_no_command_offers_to_install_completion(point: object) -> None:
    """`mts` as a whole does not have it, so one of its commands could not install it."""
    assert point.load()._add_completion is False  # type: ignore[attr-defined]
