"""``python -m tools.proof.chaos``: kill -9 processes at random while orders flow, then count.

nats-server, venue, operations, risk engine and OMS run as processes of their own, each on its own
files. After a number of kills the orders stop, everything comes to rest, and what the clients were
told, what the OMS has on record and what the venue has on record must be the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mts1b_foundation.nats import STREAMS
from mts1b_platform.config import LogSettings
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.permissions import ADMINISTRATOR
from mts1b_platform.eventbus.server import read_address
from mts1b_platform.logging import configure_logging
from mts1b_platform.supervision import end_tasks

from tools.proof.desk import free_port, write_settings
from tools.proof.fleet import Fleet
from tools.proof.percentiles import summary
from tools.proof.traders import Intent, Traders
from tools.proof.truth import Verdict, compare

__all__ = ["Round", "chaos", "main", "one_round"]

_WEIGHTS = {"oms": 4, "riskengine": 3, "venue": 2, "nats": 2, "operations": 2}
_RECOVERY_S = 60.0
_REST_S = 90.0


@dataclass
class Round:
    """One system, from its start to the count.

    :ivar recovery_s: by process: seconds from its kill to the first order that was asked for
        after it served again and that was acknowledged.
    """

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    in_mid_start: int = 0
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    said: dict[str, int] = field(default_factory=dict)
    rest_s: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    intents: dict[str, Intent] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Return whether nothing was wrong."""
        return not self.verdict.problems


class _Killer:
    """Kill one process after another at random moments."""

    def __init__(self, fleet: Fleet, traders: Traders, rng: random.Random, found: Round) -> None:
        self._fleet, self._traders, self._rng, self._found = fleet, traders, rng, found

    async def kill(self) -> None:
        """Kill one; mostly wait until orders are acknowledged again, sometimes go on at once."""
        rng, fleet = self._rng, self._fleet
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        name = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        at = time.perf_counter()
        fleet.kill(name, whole=rng.random() < 0.5)
        self._found.kills[name] += 1
        if rng.random() < 0.25:
            self._found.in_mid_start += 1
            return
        serving = await fleet.ready(name)
        again = await self._acknowledged(serving)
        self._found.recovery_s.setdefault(name, []).append(again - at)

    async def _acknowledged(self, since: float) -> float:
        deadline = time.perf_counter() + _RECOVERY_S
        while time.perf_counter() < deadline:
            found = self._traders.acknowledged_after(since)
            if found is not None:
                return found
            await asyncio.sleep(0.01)
        raise TimeoutError(
            f"no order was acknowledged for {_RECOVERY_S} s after {dict(self._found.kills)}; "
            f"answers: {dict(self._traders.said)}"
        )


async def one_round(folder: Path, *, seed: int, cycles: int, rate_per_s: float) -> Round:
    """Start a system in ``folder``, kill ``cycles`` times, come to rest, count."""
    rng, found = random.Random(seed), Round(seed)
    home, venue_home = folder / "desk", folder / "venue"
    port = free_port()
    write_settings(home, address=f"127.0.0.1:{port}")
    write_settings(venue_home, address=None)
    (venue_home / "port").write_text(str(port))
    fleet = Fleet(
        home,
        venue_home,
        pause=lambda: rng.uniform(0.0, 0.3),
        environ={"MTS_TRACEBACK": "1"},
    )
    try:
        await fleet.start()
        bus = await NatsBus.connect(
            lambda: read_address(home, {}, user=ADMINISTRATOR), name="chaos"
        )
        try:
            await bus.ensure_stream(STREAMS["MARKETDATA"])
            traders = Traders(bus, rng, f"c{seed}", rate_per_s)
            await _trade(fleet, traders, rng, found, cycles)
        finally:
            await bus.close()
    finally:
        await fleet.close()
    return found


async def _trade(
    fleet: Fleet, traders: Traders, rng: random.Random, found: Round, cycles: int
) -> None:
    market = asyncio.create_task(traders.market())
    traders.start()
    killer = _Killer(fleet, traders, rng, found)
    try:
        for _ in range(cycles):
            await killer.kill()
        await traders.pause()
        await _come_to_rest(fleet, traders, market, found)
    except TimeoutError as error:
        found.verdict.problems.append(str(error))
    finally:
        await end_tasks([market])
        await traders.close()
        found.ended = [f"{item.name} ({item.code}): {item.last}" for item in fleet.ended]
        found.said, found.intents = dict(traders.said), traders.intents


async def _come_to_rest(
    fleet: Fleet, traders: Traders, market: asyncio.Task[None], found: Round
) -> None:
    """Wait until every intent is answered and the records agree; then that is the verdict.

    What they disagree on after the deadline is what is wrong.
    """
    begin = time.perf_counter()
    for name in fleet.names:
        await fleet.ready(name)
    await traders.finish(_REST_S)
    await end_tasks([market])
    while True:
        found.verdict = compare(fleet.home, fleet.venue_home, traders.intents)
        found.rest_s = time.perf_counter() - begin
        if found.held or found.rest_s > _REST_S:
            return
        await asyncio.sleep(0.5)


async def chaos(
    *,
    cycles: int,
    per_round: int,
    seed: int,
    rate_per_s: float,
    report: Path | None = None,
    keep: Path | None = None,
) -> list[Round]:
    """Run rounds until ``cycles`` kills are done; write the report after each.

    :param keep: where the files of rounds are copied that did not hold, or where a process ended.
    """
    rounds: list[Round] = []
    left, begin = cycles, time.perf_counter()
    while left > 0:
        with tempfile.TemporaryDirectory(prefix="mts-chaos-") as folder:
            found = await one_round(
                Path(folder),
                seed=seed + len(rounds),
                cycles=min(per_round, left),
                rate_per_s=rate_per_s,
            )
            if keep is not None and (found.ended or not found.held):
                shutil.copytree(folder, keep / f"seed-{found.seed}", dirs_exist_ok=True)
        rounds.append(found)
        left -= per_round
        print(_line(found), flush=True)
        if report is not None:
            text = json.dumps(report_of(rounds, time.perf_counter() - begin), indent=2)
            report.write_text(text + "\n")
    return rounds


def report_of(rounds: Sequence[Round], took_s: float) -> dict[str, Any]:
    """Return the figures of several rounds as one."""
    kills: Counter[str] = sum((item.kills for item in rounds), Counter())
    recovery: dict[str, list[float]] = {}
    for item in rounds:
        for name, seconds in item.recovery_s.items():
            recovery.setdefault(name, []).extend(seconds)
    cycles = sum(kills.values())
    return {
        "cycles": cycles,
        "seeds": [item.seed for item in rounds],
        "kills": dict(sorted(kills.items())),
        "kills_while_starting": sum(item.in_mid_start for item in rounds),
        "orders_at_the_venue": sum(item.verdict.orders for item in rounds),
        "fills": sum(item.verdict.fills for item in rounds),
        "acknowledged": sum(item.verdict.acknowledged for item in rounds),
        "denied": sum(item.verdict.denied for item in rounds),
        "lost": sum(item.verdict.lost for item in rounds),
        "duplicated": sum(item.verdict.duplicated for item in rounds),
        "bound_95_per_cycle": round(3 / cycles, 6) if cycles else None,
        "audit_entries_verified": sum(item.verdict.audit_entries for item in rounds),
        "recovery_ms": {name: summary(found) for name, found in sorted(recovery.items())},
        "rest_s": [round(item.rest_s, 1) for item in rounds],
        "ended_by_themselves": dict(Counter(text for item in rounds for text in item.ended)),
        "answers": dict(sum((Counter(item.said) for item in rounds), Counter())),
        "problems": {item.seed: item.verdict.problems for item in rounds if not item.held},
        "took_s": round(took_s, 1),
        "rounds": [asdict(item.verdict) for item in rounds],
    }


def _line(found: Round) -> str:
    verdict = found.verdict
    text = (
        f"seed {found.seed}: {sum(found.kills.values())} kills {dict(found.kills)}; "
        f"{verdict.orders} orders, {verdict.acknowledged} acknowledged, {verdict.denied} denied, "
        f"{verdict.fills} fills; {verdict.lost} lost, {verdict.duplicated} duplicated; "
        f"at rest after {found.rest_s:.1f} s"
    )
    return "\n  ".join([text, *verdict.problems, *(f"ended: {item}" for item in found.ended)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when anything was lost, doubled or different."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof.chaos", description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000, help="kills")
    parser.add_argument("--per-round", type=int, default=40, help="kills before a count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second")
    parser.add_argument("--report", type=Path, help="a JSON file, written after each round")
    parser.add_argument("--keep", type=Path, help="a folder for the files of what went wrong")
    options = parser.parse_args(arguments)
    configure_logging(LogSettings(level="ERROR"))
    begin = time.perf_counter()
    rounds = asyncio.run(
        chaos(
            cycles=options.cycles,
            per_round=options.per_round,
            seed=options.seed,
            rate_per_s=options.rate,
            report=options.report,
            keep=options.keep,
        )
    )
    figures = report_of(rounds, time.perf_counter() - begin)
    del figures["rounds"]
    print(json.dumps(figures, indent=2))
    return 0 if all(item.held for item in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
