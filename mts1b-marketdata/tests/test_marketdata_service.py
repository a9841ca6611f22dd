"""The service: a replay in lockstep with real participants, across their restarts; quotes."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from mts1b_foundation import Bar, Quote
from mts1b_foundation.nats import (
    STREAMS,
    advance_subject,
    bars_subject,
    position_subject,
    quotes_subject,
)
from mts1b_foundation.replay import ReplayPosition
from mts1b_marketdata import MarketDataError, ReplayFeed, ReplayStopped, SourceUnknown
from mts1b_marketdata.cli import app
from mts1b_marketdata.publisher import publish_bar
from mts1b_marketdata.service import REPLAYED, MarketDataService, ReplayRun
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import ReplaySettings, Settings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SequentialIds
from mts1b_platform.lockstep import LockstepDriver, LockstepParticipant, digest_rows
from mts1b_platform.pump import EventPump
from mts1b_platform.rng import SeededRng
from mts1b_platform.service import ServiceContext
from mts1b_platform.store import Store
from mts1b_platform.supervision import TaskGroupSupervisor
from typer.testing import CliRunner

METADATA = sa.MetaData()
SEEN = sa.Table(
    "seen",
    METADATA,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("what", sa.Text, nullable=False),
)


class Log:
    """Keep what was logged, in memory, and tell who waits for an event."""

    def __init__(self):
        self.lines = []
        self._waiting = {}

    def info(self, event, **facts):
        self.lines.append((event, facts))
        self._event(event).set()

    warning = error = info

    def _event(self, name):
        return self._waiting.setdefault(name, asyncio.Event())

    async def heard(self, name):
        await asyncio.wait_for(self._event(name).wait(), 10)


class Line:
    """One process's line to the bus: it can be cut."""

    def __init__(self, bus):
        self._bus = bus
        self._served = []

    def __getattr__(self, name):
        return getattr(self._bus, name)

    async def serve(self, subject, handler, *, queue=None):
        served = await self._bus.serve(subject, handler, queue=queue)
        self._served.append(served)
        return served

    async def cut(self):
        for served in self._served:
            await served.unsubscribe()
        self._served.clear()


class Failures(list):
    """What the supervisor was told."""

    def __init__(self):
        super().__init__()
        self._told = asyncio.Event()

    def append(self, item):
        super().append(item)
        self._told.set()

    async def first(self):
        await asyncio.wait_for(self._told.wait(), 10)
        return self[0]


def context(home, bus, *, name="marketdata", replay=True, settings=None, failures=None):
    failed = failures if failures is not None else []
    return ServiceContext(
        name=name,
        home=home,
        settings=settings or Settings(replay=ReplaySettings(enabled=replay, progress_every=7)),
        clock=VirtualClock(ReplayFeed.open(home, dataset="sample").as_of(0)),
        ids=SequentialIds(),
        rng=SeededRng(1),
        bus=bus,
        log=Log(),
        tasks=TaskGroupSupervisor(lambda task, error: failed.append((task, error))),
        replay=replay,
    )


class Follower:
    """A service that writes down each bar and each tick, and can die within a tick."""

    def __init__(self, home, bus, segment):
        self.bus = Line(bus)
        self.ctx = context(home, self.bus, name=segment)
        self.segment = segment
        self.die_at = None

    async def start(self):
        path = self.ctx.home / "db" / f"{self.segment}.sqlite"
        self.store = await Store.open(path, metadata=METADATA, name=self.segment)
        self.pump = EventPump(
            self.bus, self.store, name=self.segment, streams=["MARKETDATA"], handler=self._on_event
        )
        await self.pump.start()
        await LockstepParticipant(
            self.ctx,
            self.store,
            segment=self.segment,
            pump=self.pump,
            relay=None,
            on_step=self._on_step,
            digest=self._digest,
        ).start()

    async def _on_event(self, tx, event):
        bar = event.payload
        await tx.execute(SEEN.insert().values(what=f"{bar.symbol} {bar.timestamp} {bar.close}"))

    async def _on_step(self, step, mark):
        if step.tick == self.die_at:
            self.die_at = None
            asyncio.get_running_loop().create_task(self.restart())
            await asyncio.get_running_loop().create_future()
        async with self.store.transaction() as tx:
            await tx.execute(SEEN.insert().values(what=f"tick {step.tick} {step.final}"))
            await mark(tx)

    async def restart(self):
        """Vanish without a word, and come back from the store."""
        await self.bus.cut()
        await self.store.close()
        await self.start()

    async def rows(self):
        async with self.store.read() as connection:
            return list((await connection.execute(sa.select(SEEN.c.what))).scalars())

    async def _digest(self):
        rows = await self.rows()
        return digest_rows([(row,) for row in rows]), {"rows": len(rows)}


@pytest.fixture
async def bus():
    bus = LocalBus()
    yield bus
    await bus.close()


async def followers(home, bus, *names):
    found = {name: Follower(home, bus, name) for name in names or REPLAYED}
    for follower in found.values():
        await follower.start()
    return found


async def close(*groups):
    for group in groups:
        for follower in group.values():
            await follower.store.close()


def written(home, name):
    return json.loads((home / "run" / name).read_text())


async def test_every_service_sees_each_tick_after_its_bars_and_no_bar_early(home, bus):
    group = await followers(home, bus)
    state = await ReplayRun(context(home, bus), ReplayFeed.open(home, dataset="sample")).run()
    expected = []
    feed = ReplayFeed.open(home, dataset="sample")
    for tick in feed.ticks():
        expected += [f"{bar.symbol} {bar.timestamp} {bar.close}" for bar in tick.bars]
        expected.append(f"tick {tick.tick} False")
    expected.append("tick 30 True")
    for follower in group.values():
        assert await follower.rows() == expected
    result, progress = written(home, "result.json"), written(home, "progress.json")
    assert result["state_hash"] == progress["state_hash"] == state
    assert (progress["tick"], progress["total"], progress["state"]) == (29, 30, "finished")
    assert progress["as_of"] == feed.as_of(29).isoformat()
    assert set(result["services"]) == set(REPLAYED)
    assert result["run_id"] == feed.run_id
    await close(group)


def short_feed(home):
    end = ReplayFeed.open(home, dataset="sample").as_of(11)
    return ReplayFeed.open(home, dataset="sample", end=end)


@pytest.mark.parametrize("victim", ["oms", "research"])
async def test_a_service_that_dies_within_a_tick_changes_nothing(home, tmp_path, bus, victim):
    group = await followers(home, bus)
    straight = await ReplayRun(context(home, bus), short_feed(home)).run()
    await close(group)
    other, again = tmp_path / "other", LocalBus()
    other.mkdir()
    (other / "lake").symlink_to(home / "lake")
    group = await followers(other, again)
    group[victim].die_at = 5
    run = ReplayRun(context(other, again), short_feed(other), attempt_s=0.05, patience_s=20)
    assert await run.run() == straight
    assert group[victim].die_at is None
    await close(group)
    await again.close()


async def test_a_replay_that_was_stopped_goes_on_where_the_slowest_service_stands(home, bus):
    group = await followers(home, bus)
    feed = ReplayFeed.open(home, dataset="sample")
    failures = []
    service = MarketDataService(context(home, bus, failures=failures))
    reached = asyncio.Event()

    async def watch(message):
        if Bar.model_validate_json(message.data).timestamp >= feed.as_of(12):
            reached.set()

    await bus.subscribe(bars_subject("SPX", "1d"), watch)
    await service.start()
    await asyncio.wait_for(reached.wait(), 10)
    await service.stop()
    stopped = written(home, "progress.json")
    assert stopped["state"] == "stopped"
    assert 10 <= stopped["tick"] < 29
    assert not (home / "run" / "result.json").exists()
    assert not failures

    restarted = MarketDataService(context(home, bus, failures=failures))
    await restarted.start()
    await restarted.ctx.log.heard("replay finished")
    await restarted.stop()
    rows = [await follower.rows() for follower in group.values()]
    assert all(row == rows[0] for row in rows)
    assert [row for row in rows[0] if row.startswith("tick")] == [
        *(f"tick {n} False" for n in range(30)),
        "tick 30 True",
    ]
    assert written(home, "progress.json")["state"] == "finished"
    await close(group)


async def test_services_that_were_ahead_wait_for_the_slowest(home, bus):
    group = await followers(home, bus)
    feed = short_feed(home)
    driver = LockstepDriver(bus, run_id=feed.run_id, services=("oms", "risk"))
    for tick in feed.ticks():
        if tick.tick == 4:
            break
        acks = [await publish_bar(bus, bar) for bar in tick.bars]
        await driver.run_tick(tick.tick, tick.as_of, {"MARKETDATA": acks[-1].sequence})
    await ReplayRun(context(home, bus), feed).run()
    rows = [await follower.rows() for follower in group.values()]
    assert all(row == rows[0] for row in rows)
    await close(group)


async def test_a_finished_replay_asked_again_gives_the_same_result(home, bus):
    group = await followers(home, bus)
    feed = short_feed(home)
    first = await ReplayRun(context(home, bus), feed).run()
    before = written(home, "result.json")
    assert await ReplayRun(context(home, bus), feed).run() == first
    assert written(home, "result.json") == before
    await close(group)


async def test_another_tape_in_the_same_home_is_refused(home, bus):
    group = await followers(home, bus)
    await ReplayRun(context(home, bus), short_feed(home)).run()
    other = ReplayFeed.open(home, dataset="sample", symbols=("SPX",))
    with pytest.raises(ReplayStopped, match="empty MTS_HOME"):
        await ReplayRun(context(home, bus), other).run()
    await close(group)


async def test_a_service_that_stays_away_stops_the_run_with_its_name(home, bus):
    group = await followers(home, bus, "oms", "risk", "operations")
    feed = ReplayFeed.open(home, dataset="sample")
    run = ReplayRun(context(home, bus), feed, attempt_s=0.05, patience_s=0.2)
    with pytest.raises(ReplayStopped, match=r"research\.replay\.position.*start it again"):
        await run.run()
    assert written(home, "progress.json")["state"] == "stopped"
    await close(group)


async def test_a_service_that_refuses_a_tick_stops_the_service(home, bus):
    group = await followers(home, bus, "oms", "risk", "operations")

    async def refuse(data):
        raise MarketDataError("no")

    async def position(data):
        return ReplayPosition(service="research").model_dump_json().encode()

    await bus.serve(advance_subject("research"), refuse)
    await bus.serve(position_subject("research"), position)
    failures = Failures()
    service = MarketDataService(context(home, bus, failures=failures))
    await service.start()
    task, error = await failures.first()
    assert task == "marketdata.replay"
    assert isinstance(error, ReplayStopped)
    progress = written(home, "progress.json")
    assert (progress["tick"], progress["state"]) == (-1, "stopped")
    assert "MARKETDATA: no" in progress["error"]
    await service.stop()
    await close(group)


async def test_a_missing_tape_fails_the_start(home, bus):
    settings = Settings(replay=ReplaySettings(enabled=True, dataset="other"))
    with pytest.raises(MarketDataError, match="mts data import"):
        await MarketDataService(context(home, bus, settings=settings)).start()


RECORDED = datetime(2026, 5, 22, 14, tzinfo=UTC)
QUOTES = """timestamp,symbol,bid,ask
2026-05-22T13:30:00Z,AAPL,99,101
2026-05-22T13:30:30Z,AAPL,101,103
2026-05-22T13:30:30Z,AAPL,101,103
2026-05-22T13:30:40Z,MSFT,50,51
2026-05-22T13:31:05Z,MSFT,52,53
2026-05-22T13:32:10Z,AAPL,90,92
"""


async def test_without_a_replay_quotes_and_their_bars_are_published_once(home, bus):
    path = home / "quotes.csv"
    path.write_text(QUOTES)
    config = {
        "source": "csv",
        "options": {"quotes": {"path": str(path), "kind": "quotes"}},
        "symbols": ["AAPL", "MSFT"],
        "bar_interval": "1m",
    }
    (home / "marketdata.json").write_text(json.dumps(config))
    for _ in range(2):
        service = MarketDataService(context(home, bus, replay=False))
        service.ctx.clock.advance_to(RECORDED)
        await service.start()
        await service.ctx.log.heard("source ended")
        assert (await service.health())["source"] == "csv ended: there are no new prices"
        await service.stop()
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    consumer = await bus.consumer("MARKETDATA", "test")
    messages = await consumer.fetch(100, timeout_s=1)
    quotes = [m for m in messages if m.subject in map(quotes_subject, ("AAPL", "MSFT"))]
    assert [Quote.model_validate_json(m.data).bid for m in quotes] == [99, 101, 50, 52, 90]
    bars = [Bar.model_validate_json(m.data) for m in messages if ".bars." in m.subject]
    assert [(b.symbol, b.open, b.close, b.timestamp.minute) for b in bars] == [
        ("AAPL", 100, 102, 31),
        ("MSFT", 50.5, 50.5, 31),
        ("MSFT", 52.5, 52.5, 32),
    ]
    assert (
        "source ended",
        {"published": 5, "defects": {"out_of_order": 1}},
    ) in service.ctx.log.lines


async def test_without_a_source_the_service_says_what_to_do(home, bus):
    service = MarketDataService(context(home, bus, replay=False))
    await service.start()
    assert "marketdata.json" in service.ctx.log.lines[0][1]["remedy"]
    assert await service.health() == {"bus": "ok"}
    await service.stop()


async def test_a_wrong_source_file_names_the_key(home, bus):
    (home / "marketdata.json").write_text('{"source": "csv", "symbols": []}')
    with pytest.raises(SourceUnknown, match=r"marketdata\.json: symbols"):
        await MarketDataService(context(home, bus, replay=False)).start()


def test_the_command_line_shows_sources_and_the_tape(home):
    environ = {"MTS_HOME": str(home)}
    runner = CliRunner()
    sources = json.loads(runner.invoke(app, ["sources", "--json"]).stdout)
    assert "csv" in sources
    facts = json.loads(runner.invoke(app, ["replay-info", "--json"], env=environ).stdout)
    assert (facts["ticks"], facts["symbols"]) == (30, ["IXIC", "SPX"])
    failed = runner.invoke(app, ["replay-info"], env=environ | {"MTS_REPLAY__DATASET": "other"})
    assert isinstance(failed.exception, MarketDataError)


def test_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "README.md").read_text()
    namespace: dict[str, object] = {"__name__": "readme"}
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), namespace)
