"""Which venue the settings give, the checks, the command line, the README."""

import json
import re
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import get_args

import pytest
from mts1b_brokers import (
    BrokerConfigError,
    FillPolicy,
    LiveTradingUnavailable,
    PaperClient,
    UnknownBroker,
    VenueProfile,
    create_venue,
    known_brokers,
)
from mts1b_brokers.checks import VenueChecks
from mts1b_brokers.cli import app
from mts1b_brokers.registry import check_settings
from mts1b_foundation import Fill, FundConfig, RiskEnvelope
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import FundSettings, Settings, VenueSettings
from mts1b_platform.ids import SequentialIds
from typer.testing import CliRunner

D = Decimal


def _fund(fund_id, broker="paper", nav=1_000_000):
    return FundSettings(
        fund=FundConfig(fund_id=fund_id, name=fund_id, target_nav_usd=D(nav), broker=broker),
        envelope=RiskEnvelope(envelope_id="e", fund_id=fund_id, nav_usd=D(nav)),
    )


def _create(tmp_path, **settings):
    return create_venue(
        Settings(**settings), home=tmp_path, clock=SystemClock(), ids=SequentialIds()
    )


def test_paper_venue_takes_its_profile_from_the_settings(tmp_path):
    venue = _create(
        tmp_path,
        funds=[_fund("a"), _fund("b", nav=500_000)],
        venue=VenueSettings(slippage_bps=D(3), latency_ms=20),
    )
    assert isinstance(venue, PaperClient)
    assert venue.profile.initial_cash == 1_500_000
    assert (venue.profile.slippage_bps, venue.profile.latency_ms) == (3, 20)
    assert venue.home == tmp_path


@pytest.mark.parametrize("mode", ["live", "shadow"])
def test_modes_that_need_a_market_are_refused(tmp_path, mode):
    with pytest.raises(LiveTradingUnavailable, match="mode: paper"):
        _create(tmp_path, mode=mode)


def test_unknown_broker_lists_the_known(tmp_path):
    assert "paper" in known_brokers()
    with pytest.raises(UnknownBroker, match=r"'coinbase'.*paper"):
        _create(tmp_path, funds=[_fund("a", broker="coinbase")])


def test_two_brokers_are_refused(tmp_path):
    with pytest.raises(BrokerConfigError, match="coinbase, paper"):
        _create(tmp_path, funds=[_fund("a"), _fund("b", broker="coinbase")])


def test_an_account_at_a_venue_that_has_none_is_refused(tmp_path):
    fund = _fund("a")
    held = fund.model_copy(update={"fund": fund.fund.with_(broker_account_id="U123")})
    with pytest.raises(BrokerConfigError, match=r"funds\.1\.fund\.broker_account_id.*'U123'"):
        _create(tmp_path, funds=[_fund("b"), held])
    with pytest.raises(BrokerConfigError, match="has no account"):
        check_settings(Settings(funds=[held]))


def _allowed(fund_id, *brokers, active=True):
    entry = _fund(fund_id)
    changes = {
        "fund": entry.fund.with_(active=active),
        "envelope": entry.envelope.with_(allowed_brokers=list(brokers)),
    }
    return entry.model_copy(update=changes)


def test_a_fund_whose_envelope_leaves_its_broker_out_is_told():
    """Risk denied each of its orders, and nothing said so before the first."""
    funds = [_allowed("a", "paper"), _allowed("b", "x", "y"), _allowed("c", active=False)]
    (line,) = check_settings(Settings(funds=funds))
    assert line.startswith("funds.1.envelope.allowed_brokers is x, y, and the fund trades at paper")
    (line,) = check_settings(Settings(funds=[_allowed("a")]))
    assert "allowed_brokers is empty" in line


class DoubleFiller(PaperClient):
    """A venue with the documented defects: two fills a key, fills after a cancel."""

    async def submit(self, order):
        again = f"{order.idempotency_key}-{len(self._venue.state.orders) if self._venue else 0}"
        return await super().submit(order.with_(idempotency_key=again, order_id=again))

    async def cancel(self, order_id):
        return True


async def test_the_checks_find_a_venue_that_breaks_the_rules(tmp_path):
    checks = VenueChecks(lambda: DoubleFiller(home=tmp_path), clock=SystemClock())
    results = {result.name: result.passed for result in await checks.run()}
    assert not results["submit idempotency"]
    assert not results["cancel truth"]
    assert results["reachable"]


class Fragile(PaperClient):
    """A venue whose cancel ends in an error of its own code."""

    async def cancel(self, order_id):
        raise KeyError("order")


async def test_whatever_a_venue_raises_fails_one_check_and_the_others_run(tmp_path):
    results = await VenueChecks(lambda: Fragile(home=tmp_path), clock=SystemClock()).run()
    failed = {result.name: result.detail for result in results if not result.passed}
    assert failed == {"cancel truth": "raised KeyError: 'order'"}
    assert len(results) == 11


class Forgetful(PaperClient):
    """A venue whose fills are gone after a restart."""

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        return [], "0"


async def test_the_checks_find_lost_fills(tmp_path):
    results = await VenueChecks(lambda: Forgetful(home=tmp_path), clock=SystemClock()).run()
    assert "fills once" not in {result.name for result in results if result.passed}


def test_the_command_passes_on_paper():
    result = CliRunner().invoke(app, ["test", "--broker", "paper", "--json"])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["passed"]) == (0, True)
    assert len(report["checks"]) == 11
    table = CliRunner().invoke(app, ["test"])
    assert table.exit_code == 0
    assert "submit idempotency" in table.stdout


def test_the_list_command_names_the_adapters():
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)["items"]
    assert {
        "broker": "paper",
        "from": "mts1b-brokers",
        "code": "mts1b_brokers.paper:create",
    } in rows
    assert "paper" in CliRunner().invoke(app, ["list"]).stdout


def test_the_profiles_command_says_what_each_promises():
    cards = json.loads(CliRunner().invoke(app, ["profiles", "--json"]).stdout)["profiles"]
    assert list(cards) == ["none", "open_orders", "ten_minutes", "permanent", "strict"]
    assert (cards["ten_minutes"]["dedupe"], cards["ten_minutes"]["dedupe_window_s"]) == (
        "window",
        600,
    )
    table = CliRunner().invoke(app, ["profiles"])
    assert table.exit_code == 0
    assert "10/s" in table.stdout


def test_an_unknown_broker_on_the_command_line_is_an_error():
    result = CliRunner().invoke(app, ["test", "--broker", "nowhere"])
    assert result.exit_code != 0
    assert isinstance(result.exception, UnknownBroker)


def test_the_entry_point_is_what_the_registry_loads():
    entry = EntryPoint("paper", "mts1b_brokers.paper:create", "mts1b.brokers")
    assert callable(entry.load())


def test_the_readme_runs():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    namespace: dict[str, object] = {"__name__": "readme"}
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), namespace)


def test_the_settings_know_every_ready_profile():
    known = get_args(VenueSettings.model_fields["profile"].annotation)
    assert sorted(known) == sorted(VenueProfile.names())


@pytest.mark.parametrize("name", VenueProfile.names())
def test_the_venue_has_the_profile_that_the_settings_name(tmp_path, name):
    venue = {"profile": name, "fee_bps_per_side": "3", "fill": "quote"}
    made = _create(tmp_path, venue=venue, funds=[_fund("a")]).profile
    ready = VenueProfile.named(name)
    priced = {"fee_bps_per_side", "slippage_bps", "latency_ms", "max_participation"}
    of_settings = {*priced, "fill", "initial_cash"}
    same = set(VenueProfile.model_fields) - of_settings
    assert {f: getattr(made, f) for f in same} == {f: getattr(ready, f) for f in same}
    assert (made.fee_bps_per_side, made.fill) == (3, FillPolicy.QUOTE)
    timed = _create(tmp_path, venue=venue | {"dead_man_s": 9.0}, funds=[_fund("a")]).profile
    assert timed.dead_man_max_s == 9.0
