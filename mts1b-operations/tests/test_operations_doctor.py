"""What is wrong with the services is told by `mts doctor` and `mts status`, with the remedy."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_operations import cli
from mts1b_operations.probes import SERVICES
from mts1b_platform.service.http import HealthServer
from operations_terminal import PROFILE
from typer.testing import CliRunner

Told = dict[str, dict[str, str]]


class System:
    """A home in which small health pages stand for the services."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.checks: Told = {name: {"bus": "ok"} for name in SERVICES}
        self._pages: list[HealthServer] = []
        (home / "run").mkdir()

    async def run(self, *names: str) -> None:
        """Serve one health page for ``names``, as one process would."""

        async def health() -> Told:
            return {name: self.checks[name] for name in names}

        self._pages.append(HealthServer(0, health))
        port = await self._pages[-1].start()
        for name in names:
            self.record(name, {"pid": os.getpid(), "health_port": port})

    def record(self, name: str, facts: dict[str, Any]) -> None:
        (self.home / "run" / f"{name}.json").write_text(json.dumps(facts))

    async def stop(self) -> None:
        for page in self._pages:
            await page.stop()

    async def examined(self, *, code: int) -> list[dict[str, str]]:
        """Return what the doctor says of the services."""
        items = (await self.told(cli.doctor, code=code))["items"]
        return [item for item in items if item["check"] == "services"]

    async def told(self, command: Any, *, code: int) -> dict[str, Any]:
        runner = CliRunner(env={"MTS_HOME": str(self.home), "MTS_BUS__KIND": "local"})
        done = await asyncio.to_thread(runner.invoke, command, ["--json"])
        assert done.exit_code == code, (done.output, done.exception)
        told: dict[str, Any] = json.loads(done.output)
        assert told["exit_code"] == code
        return told


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    made = System(tmp_path)
    yield made
    await made.stop()


async def test_a_home_where_nothing_runs_or_all_is_well_is_no_fault(system: System) -> None:
    (nothing,) = await system.examined(code=0)
    assert (nothing["verdict"], nothing["detail"][:9]) == ("ok", "none runs")
    await system.run(*SERVICES)
    (well,) = await system.examined(code=0)
    assert (well["verdict"], well["remedy"]) == ("ok", "")


async def test_a_service_with_a_red_check_is_named_with_its_log(system: System) -> None:
    await system.run(*SERVICES)
    system.record("supervisor", {"pid": os.getpid(), "processes": {"nats": 1, "all": 2}})
    system.checks["oms"] = {"bus": "ok", "outbox": "not published: 3", "heartbeat": "none for 40 s"}
    (red,) = await system.examined(code=1)
    assert red["verdict"] == "fail"
    assert red["detail"] == "oms: outbox: not published: 3; heartbeat: none for 40 s"
    assert str(system.home / "logs" / "all.out") in red["remedy"]
    assert str(system.home / "nats" / "server.log") in red["remedy"], "it hears nothing of the bus"
    system.checks["oms"] = {"audit": "silent"}
    (alone,) = await system.examined(code=1)
    assert alone["remedy"] == f"read {system.home / 'logs' / 'all.out'}"
    states = {
        one["name"]: one["state"] for one in (await system.told(cli.status, code=1))["services"]
    }
    assert states == dict.fromkeys(SERVICES, "ok") | {"oms": "red"}


async def test_a_service_that_is_missing_under_a_supervisor_is_red(system: System) -> None:
    await system.run(*SERVICES[:4])
    system.record("supervisor", {"pid": os.getpid(), "processes": dict.fromkeys(SERVICES, 1)})
    (red,) = await system.examined(code=1)
    assert red["detail"].startswith("marketdata: not running")
    assert str(system.home / "logs" / "marketdata.out") in red["remedy"]


async def test_a_service_that_answers_no_more_is_red(system: System) -> None:
    await system.run(*SERVICES)
    port = json.loads((system.home / "run" / "oms.json").read_text())["health_port"]
    await system.stop()
    found = await system.examined(code=1)
    assert [one["detail"].partition(": ")[::2] for one in found] == [
        (name, f"no answer on port {port}: ConnectionRefusedError") for name in SERVICES
    ]
    assert "`mts service run oms`" in found[2]["remedy"]


def _pid_of_nobody() -> int:
    gone = subprocess.Popen(["true"])
    gone.wait()
    return gone.pid


async def test_a_service_that_was_killed_is_not_to_be_killed_again(system: System) -> None:
    await system.run(*SERVICES)
    system.record("supervisor", {"pid": os.getpid(), "processes": dict.fromkeys(SERVICES, 1)})
    pid = _pid_of_nobody()
    system.record("oms", {"pid": pid, "health_port": 1})
    (red,) = await system.examined(code=1)
    assert red["detail"] == f"oms: its process ({pid}) is gone"
    assert red["remedy"].startswith("wait a moment; then read ")


def _killed(system: System) -> None:
    system.record("supervisor", {"pid": _pid_of_nobody(), "processes": {}})


def _gave_up(system: System) -> None:
    system.record("given-up", {"process": "oms", "message": "oms ended 8 times within 30 s: why"})


@pytest.mark.parametrize(
    ("happened", "detail"), [(_killed, "was killed"), (_gave_up, "oms ended 8 times")]
)
async def test_a_supervisor_that_is_gone_is_told_with_what_starts_it_again(
    system: System, happened: Callable[[System], None], detail: str
) -> None:
    happened(system)
    (red,) = await system.examined(code=1)
    assert red["verdict"] == "fail"
    assert detail in red["detail"]
    assert "`mts up`" in red["remedy"]
    await system.told(cli.status, code=1)


async def test_a_cap_that_meets_what_has_no_sector_is_told_with_the_remedy(system: System) -> None:
    (system.home / "mts.yaml").write_text(PROFILE)
    items = (await system.told(cli.doctor, code=0))["items"]
    config, *more = [item for item in items if item["check"] == "config"]
    (odd,) = [item for item in more if "no sector of IXIC is known" in item["detail"]]
    assert (config["verdict"], odd["verdict"]) == ("ok", "warn")
    assert "`instruments`" in odd["remedy"]
    assert "max_sector_pct to 1.0" in odd["remedy"]


@pytest.mark.parametrize(
    ("share", "code", "verdict"), [(0.5, 0, "ok"), (0.8, 0, "warn"), (0.99, 1, "fail")]
)
async def test_streams_that_will_be_full_are_told_in_time(
    system: System, share: float, code: int, verdict: str
) -> None:
    """A stream of events has no limit but the server's, where publishing stops, and so orders."""
    block = system.home / "nats" / "js" / "stream" / "1.blk"
    block.parent.mkdir(parents=True)
    with block.open("wb") as file:
        file.truncate(int(share * 10 * 1024**3))  # a hole, that takes no room
    items = (await system.told(cli.doctor, code=code))["items"]
    (streams,) = [item for item in items if item["check"] == "streams"]
    assert streams["verdict"] == verdict
    assert ("move" in streams["remedy"]) == (verdict != "ok")
