"""The plugin kit and the brokers meet: our own paper venue passes, a new plugin fits in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mts1b_brokers import FillPolicy, PaperClient, VenueProfile
from mts1b_brokers.paper.sandbox import PaperSandbox
from mts1b_foundation.protocols import (
    BrokerProtocol,
    DedupePolicy,
    SimulatedVenue,
    VenueCard,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.ids import SequentialIds
from mts1b_pluginsdk import PluginKind, create_plugin
from mts1b_pluginsdk.cli import app
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
from typer.testing import CliRunner

NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)
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


def _certify(
    profile: VenueProfile, cards: Sequence[Card] = BROKER_CARDS, *, folder: Path | None = None
) -> Report:
    accounts = iter(range(len(BROKER_CARDS)))

    def sandbox() -> PaperSandbox:
        if folder is None:
            return PaperSandbox(profile=profile, in_memory=True)
        return PaperSandbox(profile=profile, home=folder / str(next(accounts)))

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


_NEWCOMER = '''
"""A broker that stands on another venue's client, as a router or a journal does."""


def _passed_on(name):
    async def call(self, *given, **named):
        return await getattr(self._venue, name)(*given, **named)

    return call


class Newcomer:
    name = "paper"  # its fills are those of the venue beneath

    def __init__(self, venue):
        self._venue = venue

    def capabilities(self):
        return self._venue.capabilities()

    def set_time(self, now):
        self._venue.set_time(now)

    async def stream_fills(self, cursor=None):
        async for fill in self._venue.stream_fills(cursor):
            yield fill


for _name in (
    "submit cancel cancel_all cancel_all_after replace get_open_orders get_order_by_key "
    "get_positions account_snapshot fills_since corrections_since on_bars on_quote close"
).split():
    setattr(Newcomer, _name, _passed_on(_name))


class Hasty(Newcomer):
    """Says of every cancel that it is done."""

    async def cancel(self, order_id):
        try:
            await self._venue.cancel(order_id)
        except (ConnectionError, TimeoutError):
            pass
        return True
'''


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "newcomer_broker.py").write_text(_NEWCOMER)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("newcomer_broker", None)


def _certificate(broker: str, sandbox: str, out: Path) -> tuple[int, dict[str, Any]]:
    arguments = ["certify", f"newcomer_broker:{broker}", "--sandbox", sandbox, "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, json.loads(out.read_text())


@pytest.mark.parametrize("sandbox", ["PaperSandbox", "StrictSandbox"])
def test_a_newcomer_is_certified_without_a_sandbox_of_its_own(
    newcomer: None, tmp_path: Path, sandbox: str
) -> None:
    place = f"mts1b_brokers.paper.sandbox:{sandbox}"
    code, found = _certificate("Newcomer", place, tmp_path / "good.json")
    cards = found["cards"]
    assert [card for card in cards if card["verdict"] == "failed"] == []
    assert code == 0
    assert sum(card["verdict"] == "passed" for card in cards) > 160


def test_a_newcomer_that_is_wrong_is_found_in_the_sandbox(newcomer: None, tmp_path: Path) -> None:
    place = "mts1b_brokers.paper.sandbox:PaperSandbox"
    code, found = _certificate("Hasty", place, tmp_path / "bad.json")
    failed = {card["number"] for card in found["cards"] if card["verdict"] == "failed"}
    assert code == 1
    assert "B07" in failed


def test_every_account_is_a_new_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def trade() -> list[Path]:
        homes = []
        for _ in range(2):
            sandbox = PaperSandbox()
            await sandbox.open()
            client = sandbox.connect()
            assert isinstance(client, PaperClient)
            assert await client.get_open_orders() == []
            homes.append(client.home)
            await sandbox.close()
        return [home for home in homes if home is not None]

    first, second = asyncio.run(trade())
    assert first != second
    assert not first.exists()
    assert not second.exists()
