"""What a stranger meets: `mts up` and `mts paper` in an empty home, or with wrong settings."""

from __future__ import annotations

import json
import signal
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from mts1b_deploy.runs import archive_finished
from mts1b_platform.halt import HaltStore

from tests.integration.replay_home import CALM, MTS, environment, make_home, mts, settings


def test_up_refuses_broken_settings_before_it_starts_anything(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").write_text("rsk: {}\n")
    done = mts(tmp_path, "up", check=False)
    assert done.returncode == 3, done.stderr
    assert "rsk" in done.stderr
    assert not (tmp_path / "logs").exists()


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
