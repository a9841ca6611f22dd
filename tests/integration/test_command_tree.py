"""Every command in every bad situation: a documented code, one object, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_platform.exit_codes import ExitCode

from tests.integration.command_tree import commands
from tests.integration.live_home import live_settings
from tests.integration.replay_home import MTS, environment, mts

ROOT = Path(__file__).parents[2]
SETTINGS = live_settings({"strategy_id": "s1", "kind": "risk_parity", "symbols": ["SPX"]})


def empty(home: Path) -> None:
    """Leave the home without anything."""


def broken(home: Path) -> None:
    (home / "mts.yaml").write_text("funds: [\n")


def unknown_key(home: Path) -> None:
    (home / "mts.yaml").write_text("buss: {}\n")


def killed(home: Path) -> None:
    """Leave what a system leaves that was killed, its message bus with it, in a halt."""
    (home / "mts.yaml").write_text(yaml.safe_dump(SETTINGS))
    with subprocess.Popen(
        [MTS, "bus", "serve", "--json"], env=environment(home), stdout=subprocess.PIPE
    ) as bus:
        assert bus.stdout is not None
        assert json.loads(bus.stdout.readline())["url"]
        bus.send_signal(signal.SIGKILL)
    mts(home, "cmd", "operator-key", "ann")
    mts(home, "cmd", "halt", "s1", "--yes", "--reason", "drill")


def closed(home: Path) -> None:
    for folder, _, names in os.walk(home):
        for name in names:
            (Path(folder) / name).chmod(0o400)
        Path(folder).chmod(0o500)


SITUATIONS = {
    "an empty home": (empty, "plain"),
    "an empty home that is read-only": (empty, "read only"),
    "a full disk": (empty, "full disk"),
    "settings that are no YAML": (broken, "plain"),
    "an unknown setting": (unknown_key, "plain"),
    "everything killed": (killed, "plain"),
    "everything killed, read-only": (killed, "read only"),
    "everything killed, the disk full": (killed, "full disk"),
    "odd words": (killed, "odd words"),
}


def problems(said: dict[str, Any]) -> list[str]:
    """Return what is wrong with how a command ended."""
    found = []
    if "Traceback" in said["err"] + said["out"]:
        found.append("a traceback")
    if said["code"] not in set(ExitCode) - {ExitCode.INTERNAL}:
        found.append(f"exit code {said['code']}")
    try:
        told = json.loads(said["out"])
    except ValueError:
        return [*found, "no JSON"]
    if not isinstance(told, dict):
        found.append("no object")
    elif told.get("exit_code") != said["code"]:
        found.append(f"says that it ends with {told.get('exit_code')}")
    return found


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_command_ends_with_one_object_and_a_documented_code(
    name: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    prepare, situation = SITUATIONS[name]
    prepare(home)
    if situation == "read only":
        closed(home)
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.command_tree", str(home), situation],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    for folder, _, _ in os.walk(home):
        Path(folder).chmod(0o700)
    assert done.returncode == 0, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ended) >= len(commands()) - 4
    wrong = {
        said["words"]: (*found, said["out"][-300:], said["err"][-300:])
        for said in ended
        if (found := problems(said))
    }
    assert not wrong, json.dumps(wrong, indent=1)


def test_a_command_that_says_it_wrong_is_found() -> None:
    good = {"out": '{"exit_code": 4}', "err": "", "code": 4}
    assert problems(good) == []
    assert problems(good | {"code": 70, "out": '{"exit_code": 70}'}) == ["exit code 70"]
    assert problems(good | {"out": "[]"}) == ["no object"]
    assert problems(good | {"out": "{}"}) == ["says that it ends with None"]
    assert problems(good | {"out": ""}) == ["no JSON"]
    assert problems(good | {"err": "Traceback (most"}) == ["a traceback"]
