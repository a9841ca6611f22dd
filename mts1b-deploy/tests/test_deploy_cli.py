"""The commands refuse what can not run, and find the supervisor that does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import deploy_children
import pytest
from deploy_children import begun, gone
from mts1b_deploy.cli import _home, down, paper, up
from mts1b_deploy.errors import DeployError
from mts1b_deploy.launch import run_mts
from mts1b_deploy.lock import HomeLock
from typer.testing import CliRunner

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the children")


def call(app: Any, home: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, words, env={"MTS_HOME": str(home)})
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("command", [paper, up])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--layout", "five", "--bus", "local"], 2, "use --layout one"),
        (["--layout", "three"], 2, "--layout must be five or one, not 'three'"),
        (["--bus", "kafka"], 2, "--bus must be nats or local"),
        (["--profile", "papr"], 3, "no profile 'papr'; known: paper"),
    ],
)
def test_what_can_not_run_is_refused_before_anything_is_written(
    tmp_path: Path, command: Any, words: list[str], code: int, told: str
) -> None:
    home = tmp_path / "home"
    found, _, err = call(command, home, *words)
    assert (found, told in err) == (code, True)
    found, out, _ = call(command, home, *words, "--json")
    assert (found, told in json.loads(out)["message"]) == (code, True)
    assert not home.exists()


@pytest.mark.parametrize("command", [paper, up])
def test_a_home_in_use_is_refused_before_anything_is_moved(tmp_path: Path, command: Any) -> None:
    lock = HomeLock(tmp_path)
    asyncio.run(lock.acquire(0))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text("{}")
    code, _, err = call(command, tmp_path, "--layout", "one")
    lock.release()
    assert (code, "another supervisor" in err) == (4, True)
    assert (tmp_path / "run" / "result.json").exists()


def test_the_home_is_that_of_every_other_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTS_HOME", "~/x")
    assert _home() == Path.home().resolve() / "x"


async def test_down_stops_what_runs(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, deploy_children.__file__, str(tmp_path), "a"
    )
    pids = await begun(tmp_path, 1)
    assert call(down, tmp_path)[:2] == (0, f"stopping the supervisor (pid {parent.pid})\n")
    assert await asyncio.wait_for(parent.wait(), 30) == 0
    await gone(*pids)
    assert call(down, tmp_path)[:2] == (0, "nothing runs here\n")
    assert json.loads(call(down, tmp_path, "--json")[1]) == {"stopping": False, "exit_code": 0}


def test_down_signals_nobody_by_a_record_that_is_left_over(tmp_path: Path) -> None:
    (tmp_path / "supervisor.lock").write_text("1")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "supervisor.json").write_text('{"pid": 1}')
    assert call(down, tmp_path)[:2] == (0, "nothing runs here\n")


@linux
async def test_a_command_on_the_way_that_is_stopped_from_outside_is_no_failure_of_its_own(
    tmp_path: Path,
) -> None:
    """A negative exit code became 241, which no table lists."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = set(children.read_text().split())
    running = asyncio.create_task(run_mts(tmp_path, "config", "check", tell=sys.stderr))
    async with asyncio.timeout(30):
        while not (new := set(children.read_text().split()) - before):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    os.kill(int(new.pop()), signal.SIGTERM)
    with pytest.raises(DeployError, match="was stopped by signal 15") as caught:
        await running
    assert caught.value.exit_code == 130
