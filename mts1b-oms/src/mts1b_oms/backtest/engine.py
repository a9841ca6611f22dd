"""The order path of a live system in one process and in memory, driven by bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

from mts1b_brokers.registry import create_venue
from mts1b_foundation.commands import BookQuery, BookReply, CancelReply, HaltReply
from mts1b_foundation.market_data import Bar
from mts1b_foundation.orders import ExecutionMode, Fill, Order
from mts1b_foundation.protocols import BrokerProtocol, SimulatedVenue
from mts1b_foundation.risk import ActiveHalt, HaltRequest
from mts1b_foundation.symbology import Symbol
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.halt import MemoryHaltStore
from mts1b_platform.ids import SequentialIds
from mts1b_platform.latency import Unmeasured
from mts1b_platform.rng import Rng
from mts1b_platform.signing import HmacSigner, HmacVerifier
from mts1b_platform.store import VolatileStore
from mts1b_riskengine import HaltRecord, RiskBook, RiskEngine, RiskPolicy
from mts1b_riskengine.borrow import desk_of
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.halting import HaltRequester

from mts1b_oms.backtest.record import MemoryRecord
from mts1b_oms.cancels import Canceller
from mts1b_oms.capital import split_capital
from mts1b_oms.errors import OmsError
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.gateway import Gateway
from mts1b_oms.intake import Intake
from mts1b_oms.nav import snapshots
from mts1b_oms.orders import OrderService
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.router import RoutingTable
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.venue_sync import News, VenueSync

__all__ = ["EventBacktest", "WrongMode"]

_KEY_BYTES = 32
_NOTHING_NEW = News()
_TIME = attrgetter("timestamp")


class WrongMode(OmsError):
    """Fix the configuration: these settings are not those of a backtest."""

    code = "WRONG_MODE"


class EventBacktest:
    """Take orders as the live system does: intake, risk gates, approval, gateway, venue, ledger.

    The classes are those of the services; the bus, the disk and the clock are left out. Bars move
    the clock. Nobody watches from outside: a loss limit that is breached halts the fund at once,
    and what halted it stays until :meth:`resume`, or for ``operator.resume_after_sessions``.

    :param settings: with ``mode: backtest``; funds, strategies, instruments, limits, mandates and
        venue count.
    :param start: aware time before the first bar ends.
    :raises WrongMode: for settings of another mode.
    :raises ConfigError: when a strategy is of symbols that its fund could never order.
    """

    def __init__(self, settings: Settings, *, start: datetime, rng: Rng) -> None:
        if settings.mode is not ExecutionMode.BACKTEST:
            raise WrongMode(f"mode is {settings.mode.value}; set mode: backtest")
        self.clock = VirtualClock(start)
        self.halts = MemoryHaltStore()
        self._operator = settings.operator
        self._sessions: dict[str, int] = {}
        self._seen: tuple[object, ...] = ()
        self._ids = SequentialIds()
        self.venue: BrokerProtocol = create_venue(
            settings, home=Path(), clock=self.clock, ids=self._ids
        )
        if not isinstance(self.venue, SimulatedVenue):
            raise WrongMode(f"venue {self.venue.name} is not driven by bars; set broker: paper")
        self._market: SimulatedVenue = self.venue
        self.record = MemoryRecord(
            self.clock,
            venue=self.venue.name,
            capital=split_capital([entry.fund for entry in settings.funds], settings.strategies),
        )
        secret = rng.bytes(_KEY_BYTES)
        latency = Unmeasured(self.clock)
        self._volatile = VolatileStore("riskengine")
        self.risk = RiskEngine(
            self._volatile,
            book=RiskBook.from_settings(settings, self._volatile, clock=self.clock),
            signer=HmacSigner(secret),
            halts=HaltRecord(self.halts),
            clock=self.clock,
            policy=RiskPolicy(approval_ttl_s=settings.risk.approval_ttl_s),
            borrow=desk_of(settings.venue),
            latency=latency,
        )
        self._feed = RiskFeed(self.risk)
        self._halting = HaltRequester(self._volatile, self.risk.book, self._halt)
        gate = ReconciliationGate()
        gate.open()
        gateway = Gateway(
            venue=self.venue,
            verifier=HmacVerifier([secret]),
            halts=self.halts,
            clock=self.clock,
            mode=settings.mode,
        )
        symbols = {symbol for entry in settings.strategies for symbol in entry.symbols}
        self._orders = OrderService(
            record=self.record,
            gateway=gateway,
            risk=self.risk,
            intake=Intake(
                symbols=symbols,
                funds={entry.fund.fund_id for entry in settings.funds},
                inactive={entry.fund.fund_id for entry in settings.funds if not entry.fund.active},
                mode=settings.mode,
                routes=RoutingTable({self.venue.name: self.venue.name}),
            ),
            gate=gate,
            latency=latency,
        )
        self._sync = VenueSync(self.record, self.venue)
        self._canceller = Canceller(service=self._orders, gateway=gateway, sync=self._sync)
        self._envelopes = [entry.envelope for entry in settings.funds]
        self._funds = [entry.fund.fund_id for entry in settings.funds]

    async def start(self) -> None:
        """Put the funds' envelopes in force. Called once, first."""
        for envelope in self._envelopes:
            await self.risk.seed_envelope(envelope)

    async def on_bars(self, bars: Sequence[Bar]) -> list[Fill]:
        """Take the bars that end at one moment: match, book, strike NAVs; return the new fills.

        :raises OmsError: when the venue can not be read.
        """
        as_of = max(bars, key=_TIME).timestamp
        self.clock.advance_to(as_of)
        prices: dict[Symbol, Decimal] = {}
        async with self._volatile.transaction() as tx:
            for bar in bars:
                prices[bar.symbol] = bar.close
                await self._feed.take(tx, bar)
        self._market.set_time(as_of)
        await self._market.on_bars(bars)
        # Without an open order nothing can have been executed.
        news = await self._sync.read() if self.record.open_orders else None
        if isinstance(news, CouldNotLook):
            raise OmsError(f"venue {self.venue.name}: {news.reason}")
        if news is None and self._is_worth_the_same(prices):
            self.record.remark(prices, as_of)
            booked = []
        else:
            booked = await self._book(news or _NOTHING_NEW, prices, as_of)
        if self._operator.script:
            self._resume_by_script(as_of)
        return [item.owned for item in booked]

    def _is_worth_the_same(self, prices: Mapping[Symbol, Decimal]) -> bool:
        """Return whether these prices move no NAV, and risk has judged the NAVs as they are."""
        judged = bool(self.record.navs) and self._judged_by() == self._seen
        return judged and not self.record.news and self.record.held.isdisjoint(prices)

    def _judged_by(self) -> tuple[object, ...]:
        """Return what risk judges a NAV by: the halts, and the envelope of every fund."""
        return (self.halts.state(), *map(self.risk.book.envelopes.find, self._funds))

    async def _book(
        self, news: News, prices: Mapping[Symbol, Decimal], as_of: datetime
    ) -> list[BookedFill]:
        """Record what is new and what everything is worth now, and let risk see it."""
        async with self.record.unit() as unit:
            booked = await self._sync.take(unit, news)
            unit.mark(prices)
            unit.navs(snapshots(unit.ledger, peaks=self.record.peaks, as_of=as_of))
        self._seen = self._judged_by()
        await self._tell()
        await self._halting.send_pending()
        return booked

    async def submit(self, order: Order) -> Order:
        """Take an order through to the venue's answer, as :meth:`OrderService.submit` does.

        :raises OrderRefused: when it can not become an order.
        """
        taken = await self._orders.submit(order)
        await self._tell()
        return taken

    async def cancel(self, order_id: str, *, reason: str = "") -> CancelReply:
        """Cancel an order."""
        reply = await self._canceller.cancel(order_id, actor="backtest", reason=reason)
        await self._tell()
        return reply

    def book(self, fund_id: str | None = None, strategy_id: str | None = None) -> BookReply:
        """Return positions and latest NAVs."""
        return self.record.book(BookQuery(fund_id=fund_id, strategy_id=strategy_id))

    def open_orders(self, fund_id: str, strategy_id: str) -> list[Order]:
        """Return what is working for a strategy, oldest first."""
        known = self.record.open_orders.values()
        return [o for o in known if (o.fund_id, o.strategy_id) == (fund_id, strategy_id)]

    def halt_of(self, fund_id: str, strategy_id: str) -> ActiveHalt | None:
        """Return the widest halt that covers a strategy, or None."""
        return self.halts.blocked(fund_id=fund_id, strategy_id=strategy_id, reduce_only=False)

    def resume(self, fund_id: str) -> None:
        """End the halts of a fund."""
        self.halts.lift(f"fund:{fund_id}")

    def _resume_by_script(self, as_of: datetime) -> None:
        """End a fund's halt once it has lasted the configured number of sessions after it began."""
        for halt in self.halts.state().active:
            if not halt.scope.startswith("fund:") or as_of <= halt.requested_at:
                continue
            lasted = self._sessions[halt.halt_id] = self._sessions.get(halt.halt_id, 0) + 1
            if lasted >= self._operator.resume_after_sessions:
                self.halts.lift(halt.scope)

    async def _tell(self) -> None:
        """Let risk see what was recorded."""
        if self.record.news:
            async with self._volatile.transaction() as tx:
                for told in self.record.news:
                    await self._feed.take(tx, told)
            self.record.news.clear()

    async def _halt(self, request: HaltRequest) -> HaltReply:
        """Put a halt in force, as operations does."""
        halt = ActiveHalt(
            halt_id=request.halt_id or self._ids.new("halt"),
            scope=request.scope,
            severity=request.severity,
            reason=request.reason,
            requested_by=request.requested_by,
            requested_at=request.requested_at or self.clock.now(),
            epoch=1,
            reduce_only_allowed=request.reduce_only_allowed,
        )
        return HaltReply(active=self.halts.apply(halt).of(halt.scope))
