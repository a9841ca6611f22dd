"""A profile is written once; its processes follow from layout and bus."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from mts1b_deploy import Process, UnknownProfile, processes, profile_names, write_profile
from mts1b_deploy.profile import SERVICES


def test_the_profile_is_written_into_an_empty_home(tmp_path: Path) -> None:
    home = tmp_path / "not" / "yet"
    path = write_profile("paper", home)
    assert path == home / "mts.yaml"
    assert "trend-ixic" in path.read_text()
    assert [item.name for item in home.iterdir()] == ["mts.yaml"]


def test_settings_that_are_there_are_never_touched(tmp_path: Path) -> None:
    mine = tmp_path / "mts.yaml"
    mine.write_text("mode: paper\n")
    assert write_profile("paper", tmp_path) == mine
    assert mine.read_text() == "mode: paper\n"


def test_an_unknown_profile_is_told_with_the_known_ones(tmp_path: Path) -> None:
    assert profile_names() == ["paper"]
    with pytest.raises(UnknownProfile, match="no profile 'papr'; known: paper"):
        write_profile("papr", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_five_processes_and_the_server_start_in_order() -> None:
    wanted = processes("five", "nats")
    assert wanted[0] == Process("nats", ("bus", "serve"))
    assert [one.name for one in wanted[1:]] == list(SERVICES)
    assert wanted[-1].arguments == ("service", "run", "marketdata")


@pytest.mark.parametrize(("bus", "names"), [("nats", ["nats", "all"]), ("local", ["all"])])
def test_one_process_runs_all_services(bus: str, names: list[str]) -> None:
    wanted = processes("one", bus)
    assert [one.name for one in wanted] == names
    assert wanted[-1].arguments == ("service", "run", "all")


@pytest.mark.parametrize(
    ("layout", "bus", "told"),
    [
        ("five", "local", "use --layout one"),
        ("one", "kafka", "--bus must be nats or local, not 'kafka'"),
    ],
)
def test_what_can_not_run_is_refused(layout: Literal["five", "one"], bus: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        processes(layout, bus)
