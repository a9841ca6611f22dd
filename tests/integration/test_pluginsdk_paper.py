"""The plugin kit and the brokers meet: our own paper venue passes, a new plugin fits in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mts1b_brokers import FillPolicy, PaperClient, VenueProfile
from mts1b_foundation import Fill, FillCorrection, Order, Position
from mts1b_foundation.protocols import (
    AccountSnapshot,
    BrokerProtocol,
    DedupePolicy,
    SimulatedVenue,
    VenueCard,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.ids import SequentialIds
from mts1b_pluginsdk import PluginKind, create_plugin
from mts1b_pluginsdk.conformance import (
    BROKER_CARDS,
    BROKER_DUTIES,
    Card,
    Group,
    Need,
    Report,
    Sandbox,
    Verdict,
    check_broker,
)

NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)
T = TypeVar("T")
PROFILES = {
    "default": VenueProfile(),
    "strict": VenueProfile.named("strict"),
    "late": VenueProfile.named("ten_minutes").with_(
        fill=FillPolicy.IMMEDIATE,
        fee_bps_per_side=Decimal("1.25"),
        visibility_lag_s=30.0,
        dead_man_max_s=60.0,
        orders_per_s=50.0,
        burst=60,
    ),
}
RESTARTED = (Group.RESTART, Group.REPLACE, Group.DEAD_MAN)
NEVER_PAPER = {"B207", "B208"}
"""The paper venue takes every type and lifetime, so nothing can be refused for its own."""


class WiredPaper(PaperClient):
    """The paper client behind a wire that a test can cut."""

    box: PaperSandbox

    async def _carry(self, call: Coroutine[Any, Any, T]) -> T:
        box = self.box
        if box.is_cut or box.loses == "request":
            box.loses = ""
            call.close()
            raise ConnectionError("the wire is cut")
        answer = await call
        if box.loses == "answer":
            box.loses = ""
            raise TimeoutError("no answer came")
        return answer

    async def submit(self, order: Order) -> Order:
        return await self._carry(super().submit(order))

    async def cancel(self, order_id: str) -> bool:
        return await self._carry(super().cancel(order_id))

    async def cancel_all(self) -> list[str]:
        return await self._carry(super().cancel_all())

    async def get_open_orders(self) -> list[Order]:
        return await self._carry(super().get_open_orders())

    async def get_positions(self) -> list[Position]:
        return await self._carry(super().get_positions())

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        return await self._carry(super().get_order_by_key(idempotency_key))

    async def account_snapshot(self) -> AccountSnapshot:
        return await self._carry(super().account_snapshot())

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        return await self._carry(super().fills_since(cursor))

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        return await self._carry(super().corrections_since(cursor))

    async def stream_fills(self, cursor: str | None = None) -> AsyncIterator[Fill]:
        async for fill in super().stream_fills(cursor):
            yield fill


class LastingPaper(WiredPaper):
    """A paper client without a record, which no reconnection ends."""

    close = None  # type: ignore[assignment]


class PaperSandbox:
    """A new account at the paper venue, its desk, its screen and its wire.

    Without a home, one client in memory serves every connection: quick, and no restart.
    """

    def __init__(self, home: Path | None, profile: VenueProfile) -> None:
        self._home, self._profile = home, profile
        self._client: PaperClient | None = None
        self.is_cut, self.loses = False, ""

    def connect(self) -> PaperClient:
        if self._home is None and self._client is not None:
            return self._client
        kind = LastingPaper if self._home is None else WiredPaper
        client = kind(home=self._home, profile=self._profile)
        client.box = self
        self._client = client
        return client

    @property
    def _desk(self) -> PaperClient:
        assert self._client is not None
        return self._client

    async def bust(self, fill_id: str) -> None:
        await self._desk.bust(fill_id)

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        await self._desk.amend(fill_id, quantity=quantity, price=price)

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        await self._desk.fee(fill_id, fees=fees)

    async def enter(self, order: Order) -> None:
        await self._desk.external(order)

    def cut(self) -> None:
        self.is_cut = True

    def mend(self) -> None:
        self.is_cut = False

    def lose_request(self) -> None:
        self.loses = "request"

    def lose_answer(self) -> None:
        self.loses = "answer"


def _certify(
    profile: VenueProfile, cards: Sequence[Card] = BROKER_CARDS, *, folder: Path | None = None
) -> Report:
    accounts = iter(range(len(BROKER_CARDS)))

    def sandbox() -> PaperSandbox:
        home = None if folder is None else folder / str(next(accounts))
        return PaperSandbox(home, profile)

    return asyncio.run(check_broker(sandbox, cards=cards))


def _numbers(report: Report, verdict: Verdict) -> set[str]:
    return {one.number for one in report.results if one.verdict is verdict}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Every card in each profile, once; the default one, and what restarts, with a record."""
    folder = tmp_path_factory.mktemp
    restarts = [card for card in BROKER_CARDS if card.group in RESTARTED]
    quick = {name: _certify(PROFILES[name]) for name in ("strict", "late")}
    return quick | {
        "default": _certify(PROFILES["default"], folder=folder("default")),
        "strict, restarted": _certify(PROFILES["strict"], restarts, folder=folder("strict")),
    }


@pytest.mark.parametrize("name", [*PROFILES, "strict, restarted"])
def test_the_paper_venue_passes_what_its_profile_claims(
    reports: dict[str, Report], name: str
) -> None:
    report = reports[name]
    assert [(one.number, one.detail) for one in report.failed] == []
    assert report.counts["passed"] > (160 if name in PROFILES else 30)


def test_the_profiles_together_pass_every_card(reports: dict[str, Report]) -> None:
    passed = {number for one in reports.values() for number in _numbers(one, Verdict.PASSED)}
    assert {card.number for card in BROKER_CARDS} - passed == NEVER_PAPER


def test_a_profile_that_claims_less_is_skipped_and_not_passed(reports: dict[str, Report]) -> None:
    claims = {card.number for card in BROKER_CARDS if Need.DEAD_MAN in card.needs}
    assert claims
    assert claims <= _numbers(reports["default"], Verdict.SKIPPED)
    assert claims <= _numbers(reports["strict"], Verdict.PASSED)
    keys = [card for card in BROKER_CARDS if Need.KEYS in card.needs]
    forgetful = _certify(VenueProfile.named("none"), keys)
    assert {"B03", "B04"} < _numbers(forgetful, Verdict.SKIPPED)
    assert forgetful.counts == {"passed": 0, "failed": 0, "skipped": len(keys)}
    assert {"B332", "B333", "B710"} <= _numbers(reports["strict"], Verdict.SKIPPED)


def test_the_paper_venue_meets_every_duty(tmp_path: Path) -> None:
    report = asyncio.run(check_broker(lambda: PaperClient(home=tmp_path), subject="paper"))
    assert [one for one in report.results if one.verdict is not Verdict.PASSED] == []
    assert len(report.results) == len(BROKER_DUTIES)


def test_a_paper_venue_without_a_record_loses_all_at_a_restart() -> None:
    report = asyncio.run(check_broker(PaperClient))
    assert [one.number for one in report.failed] == ["B12"]


def test_a_venue_that_states_more_than_it_does_is_found(tmp_path: Path) -> None:
    """The strict venue forgets keys of ended orders; here its card says that it never does."""

    class Boaster(PaperClient):
        def capabilities(self) -> VenueCard:
            return super().capabilities().with_(dedupe=DedupePolicy.PERMANENT)

    accounts = iter(range(len(BROKER_CARDS)))

    def connect() -> Sandbox:
        home, profile = tmp_path / str(next(accounts)), VenueProfile.named("open_orders")

        class Box:
            def connect(self) -> PaperClient:
                return Boaster(home=home, profile=profile)

        return Box()

    cards = [card for card in BROKER_CARDS if Need.KEYS_AFTER_END in card.needs]
    cards += [card for card in BROKER_CARDS if Need.KEYS_FOR_EVER in card.needs]
    report = asyncio.run(check_broker(connect, cards=cards))
    assert _numbers(report, Verdict.FAILED) == {"B332", "B333", "B334", "B710"}


def test_a_new_broker_is_made_from_the_systems_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_plugin(PluginKind.BROKER, "fitcorp", out=tmp_path)
    monkeypatch.syspath_prepend(str(made.folder / "src"))
    settings = Settings.model_validate({"venue": {"initial_cash_usd": "2500"}})
    venue = import_module("fitcorp").create(
        settings, home=tmp_path, clock=VirtualClock(NOW), ids=SequentialIds()
    )
    for name in [name for name in sys.modules if name.split(".")[0] == "fitcorp"]:
        monkeypatch.delitem(sys.modules, name)
    assert isinstance(venue, BrokerProtocol)
    assert isinstance(venue, SimulatedVenue)
    account = asyncio.run(venue.account_snapshot())
    assert (account.cash_usd, account.as_of) == (Decimal(2500), NOW)
