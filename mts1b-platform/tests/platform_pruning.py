"""A publisher and a reader with a store each, a bus that fails, and a calendar to turn."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import OMS_NAV_UPDATED, STREAMS, with_fund
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.memory_stream import MemoryStream
from mts1b_platform.eventbus.port import BusError, PublishAck
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import OutboxRelay, Store, StorePruner
from sqlalchemy.ext.asyncio import AsyncConnection

KEEP_DAYS = 4
SUBJECT = with_fund(OMS_NAV_UPDATED, "f")
START = datetime(2026, 1, 1, tzinfo=UTC)
NAV = NavSnapshot(fund_id="f", as_of=START, nav_usd=Decimal(1), cash_usd=Decimal(0))
DATA = NAV.model_dump_json().encode()

metadata = sa.MetaData()
effects = sa.Table("effects", metadata, sa.Column("name", sa.Text))


class Dies(Exception):
    """A process ends here."""


class FaultyBus(LocalBus):
    """Lose the acknowledgement of every ``lose``-th message; store every ``twice``-th twice."""

    lose = 0
    twice = 0
    _count = 0

    async def publish_durable(self, subject: str, data: bytes, **more: Any) -> PublishAck:
        self._count += 1
        ack = await super().publish_durable(subject, data, **more)
        if self.twice and self._count % self.twice == 0:
            self.forget_id(subject, more["message_id"])
            ack = await super().publish_durable(subject, data, **more)
        if self.lose and self._count % self.lose == 0:
            raise BusError("no acknowledgement")
        return ack

    def lose_end(self, stream: str, count: int) -> None:
        """Come back with an older copy of a stream: the last ``count`` messages are gone."""
        old = self._stream(stream)
        left = len(old.messages) - count
        kept = MemoryStream(old.spec, old.incarnation, old.window_s, old.messages[:left])
        kept.seen.update({key: told for key, told in old.seen.items() if told[0] <= left})
        self._streams[stream] = kept
        self._kept_by.clear()
        old.tell()


async def tell(store: Store, *names: str, subject: str = SUBJECT, data: bytes = DATA) -> None:
    async with store.transaction() as tx:
        await store.outbox.add_many(tx, [(name, subject, data) for name in names])


async def count(store: Store, table: str) -> int:
    async with store.read() as connection:
        return int(await connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)


class World:
    """Both sides. ``crash_*`` starts one of them anew from its store, ``restore_*`` from a copy."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = VirtualClock(START)
        self.bus = FaultyBus(clock=self.clock)
        self.missed: list[str] = []
        self.die_at = ""
        self.publisher: Store
        self.reader: Store
        self.relay: OutboxRelay
        self.pump: EventPump
        self.pruners: dict[str, StorePruner] = {}

    async def start(self) -> None:
        await self.bus.ensure_stream(STREAMS["OMS"])
        await self.start_publisher()
        await self.start_reader()

    async def start_publisher(self) -> None:
        path = self.home / "publisher.sqlite"
        self.publisher = await Store.open(path, name="publisher")
        await self._prunes("publisher", self.publisher)
        self.relay = OutboxRelay(self.publisher, self.bus, STREAMS["OMS"])
        await self.relay.start()

    async def start_reader(self) -> None:
        path = self.home / "reader.sqlite"
        self.reader = await Store.open(path, metadata=metadata, name="reader")
        await self._prunes("reader", self.reader)
        self.pump = EventPump(
            self.bus, self.reader, name="reader", streams=["OMS"], handler=self._take
        )
        await self.pump.start()

    async def _prunes(self, side: str, store: Store) -> None:
        pruner = StorePruner(store, clock=self.clock, keep_days=KEEP_DAYS, most=5, pause_s=0)
        await pruner.begin_day()
        self.pruners[side] = pruner

    async def _take(self, tx: AsyncConnection, event: Event) -> None:
        await tx.execute(effects.insert().values(name=event.message_id))
        if event.message_id == self.die_at:
            raise Dies

    async def next_day(self) -> None:
        self.clock.advance(86_400)
        for pruner in self.pruners.values():
            await pruner.begin_day()

    async def flush(self) -> None:
        """Publish; a relay that lost an acknowledgement goes on at its next turn."""
        try:
            await self.relay._look_for_a_new_stream()
            await self.relay.flush()
        except BusError:
            pass

    async def read(self) -> None:
        """Read all that the stream holds."""
        source = self.pump._sources["OMS"]
        if await self.pump._is_behind(source):
            await source.consumer.close()
            await self.pump._attach("OMS")
        info = await self.bus.stream_info("OMS")
        await self.pump.drain({"OMS": info.last_sequence})
        self.missed += self.pump.missed.values()

    async def crash_publisher(self) -> None:
        self.publisher.abandon()
        await self.start_publisher()

    async def crash_reader(self) -> None:
        self.missed += self.pump.missed.values()
        self.reader.abandon()
        await self.start_reader()

    def _files(self, side: str, ending: str) -> list[tuple[Path, Path]]:
        names = [f"{side}.sqlite{suffix}" for suffix in ("", "-wal")]
        return [(self.home / name, self.home / f"{name}.{ending}") for name in names]

    def back_up(self, side: str) -> None:
        for path, copy in self._files(side, "copy"):
            copy.unlink(missing_ok=True)
            if path.exists():
                shutil.copy(path, copy)

    def put_back(self, side: str) -> None:
        for path, copy in self._files(side, "copy"):
            path.unlink(missing_ok=True)
            if copy.exists():
                shutil.copy(copy, path)
        (self.home / f"{side}.sqlite-shm").unlink(missing_ok=True)

    async def told(self) -> list[str]:
        """Return what had its effect, in order."""
        async with self.reader.read() as connection:
            return list((await connection.execute(sa.select(effects.c.name))).scalars())

    async def close(self) -> None:
        await self.pump.close()
        await self.publisher.close()
        await self.reader.close()
        await self.bus.close()
