"""Each watchdog fires on its breach, once, and stays quiet otherwise."""

from __future__ import annotations

import inspect
import math
import re
import sys
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.model import FrozenModel
from mts1b_operations.audit import AuditEntry
from mts1b_operations.errors import BadSelection
from mts1b_operations.watchdogs import (
    WATCHDOGS,
    DbWatchdog,
    DependencyWatchdog,
    HealthPoll,
    PortfolioVolDd,
    PositionAnomaly,
    PredictiveHealth,
    StoreProbe,
    StrategyWatchdog,
    Watchdog,
    WatchdogRunner,
    find_watchdog,
)
from mts1b_operations.watchdogs.base import Latch
from mts1b_operations.watchdogs.moments import Moments, two_sided_z
from mts1b_operations.watchdogs.overrides import Override
from mts1b_operations.watchdogs.settings import PARAMETERS, check_settings, watchdog_settings
from mts1b_platform.config import ConfigError, Settings, WatchdogSettings
from mts1b_platform.plugins import refusal_of
from mts1b_platform.rng import SeededRng
from operations_world import FUND, START, STRATEGY, day, fill, nav


def returns(count: int, scale: float, seed: int = 7) -> list[float]:
    """Return centred returns of a given daily deviation (uniform, so bounded)."""
    rng = SeededRng(seed)
    half = scale * math.sqrt(3)
    return [rng.uniform(-half, half) for _ in range(count)]


def steady(count: int, scale: float) -> list[float]:
    """Return returns of exactly that deviation that never drift."""
    return [scale if number % 2 else -scale for number in range(count)]


def walk(dog: Watchdog, path: list[float], strategy_id: str | None = None) -> list[int]:
    """Feed NAVs that follow returns; return the days with an alert."""
    value, days = 1_000_000.0, []
    for number, change in enumerate([0.0, *path]):
        value *= 1 + change
        if dog.observe(nav(number, f"{value:.2f}", strategy_id)):
            days.append(number)
    return days


def test_volatility_above_one_and_a_half_times_its_target() -> None:
    dog = PortfolioVolDd(params={"target": 0.16, "window": 21})
    calm, wild = returns(200, 0.01), returns(60, 0.02)
    assert walk(dog, calm) == []
    dog = PortfolioVolDd(params={"target": 0.16, "window": 21})
    days = walk(dog, calm + wild)
    assert len(days) == 1
    assert 200 < days[0] <= 200 + 21
    assert dog.status().tripped == (f"fund:{FUND}",)
    unknown = PortfolioVolDd(params={"target.other": 0.16})
    assert walk(unknown, calm + wild) == []


@pytest.mark.parametrize(
    ("dog", "strategy_id"),
    [
        (PortfolioVolDd(params={"target": 0.16, "window": 21}), None),
        (PredictiveHealth(params={"history": 100, "horizon": 60}), None),
        (StrategyWatchdog(params={"history": 100}), STRATEGY),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_capital_that_comes_and_goes_alarms_nobody(dog: Watchdog, strategy_id: str | None) -> None:
    value, capital = 1_000_000.0, 1_000_000.0
    for number, change in enumerate(steady(400, 0.01)):
        value *= 1 + change
        moved = {150: 900_000.0, 250: -1_500_000.0}.get(number, 0.0)
        value, capital = value + moved, capital + moved
        seen = nav(number, f"{value:.2f}", strategy_id).with_(capital_usd=Decimal(f"{capital:.2f}"))
        assert not dog.observe(seen), number


def test_an_alert_comes_again_only_after_calm() -> None:
    dog = PortfolioVolDd(params={"target": 0.16, "window": 21})
    path = returns(50, 0.01) + returns(30, 0.03) + returns(100, 0.005) + returns(30, 0.03, seed=8)
    assert len(walk(dog, path)) == 2


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_the_latch_never_fires_twice_without_calm_between(seen: list[bool], calm: int) -> None:
    latch = Latch(calm)
    fired = [number for number, broken in enumerate(seen) if latch.fire("k", broken=broken)]
    assert all(seen[number] for number in fired)
    for early, late in pairwise(fired):
        quiet = "".join("x" if broken else "." for broken in seen[early + 1 : late])
        assert "." * calm in quiet


def test_a_position_change_above_two_sigma() -> None:
    dog = PositionAnomaly(params={"history": 30})
    sizes = [str(100 + number % 5) for number in range(40)]
    assert not any(dog.observe(fill(number, number, size)) for number, size in enumerate(sizes))
    alerts = dog.observe(fill(41, 41, "500"))
    assert len(alerts) == 1
    assert alerts[0].scope == f"strategy:{STRATEGY}/IXIC"
    assert alerts[0].raised_at == day(41)
    assert not dog.observe(fill(42, 42, "600"))
    young = PositionAnomaly(params={"history": 30})
    young.observe(fill(0, 0, "1"))
    assert not young.observe(fill(1, 1, "9999"))


def test_a_strategy_outside_its_own_history() -> None:
    usual = steady(400, 0.01)
    assert walk(StrategyWatchdog(), usual, STRATEGY) == []
    days = walk(StrategyWatchdog(), [*usual, *[-0.008] * 25], STRATEGY)
    assert len(days) == 1
    assert 400 < days[0] <= 425
    assert walk(StrategyWatchdog(), [*usual, *[-0.008] * 25]) == []


def test_a_nav_outside_its_envelope() -> None:
    usual = steady(500, 0.01)
    assert walk(PredictiveHealth(), usual) == []
    days = walk(PredictiveHealth(), [*usual, *[-0.012] * 30])
    assert len(days) == 1
    assert days[0] > 500
    assert walk(PredictiveHealth(), [*usual, *[-0.012] * 30], STRATEGY) == []


def poll(number: int, healthy: bool) -> HealthPoll:
    return HealthPoll(service="oms", healthy=healthy, detail="bus: gone", at=day(number))


def test_a_service_that_is_red_for_three_polls() -> None:
    dog = DependencyWatchdog()
    seen = [False, False, True, False, False, False, False, True, True, False, False, False]
    alerts = [number for number, good in enumerate(seen) if dog.observe(poll(number, good))]
    assert alerts == [5, 11]


def probe(number: int, **changes: Any) -> StoreProbe:
    base = {
        "store": "operations",
        "at": day(number),
        "consumed_events": 100 + number,
        "audit_entries": 100 + 2 * number,
        "outbox_backlog": 0,
        "query_s": 0.01,
    }
    return StoreProbe.model_validate(base | changes)


def test_the_store_and_what_can_be_wrong_with_it() -> None:
    for changes, text in (
        ({"audit_entries": 100}, "3 events were consumed and 0 audit entries written"),
        ({"outbox_backlog": 20_000}, "20000 events wait to be published"),
        ({"query_s": 0.9}, "a query took 0.90 s"),
    ):
        dog = DbWatchdog()
        assert not any(dog.observe(probe(number)) for number in range(3))
        alerts = dog.observe(probe(3, **changes))
        assert [alert.message for alert in alerts] == [text]


def test_a_mismatch_stands_until_the_next_count() -> None:
    dog = DbWatchdog()
    looks = [{}, {"audit_entries": 100}, *[{"consumed_events": None}] * 8, {"audit_entries": 100}]
    told = [number for number, one in enumerate(looks) if dog.observe(probe(number, **one))]
    assert told == [1]  # and not anew at every count


def test_the_runner_knows_them_all_and_refuses_others() -> None:
    assert {dog.name for dog in WatchdogRunner().status()} == set(WATCHDOGS)
    assert find_watchdog("vol_dd") is PortfolioVolDd
    for kind in WATCHDOGS.values():
        assert kind().subject.startswith("mts.v1.operations.watchdog.")
        assert kind.trigger
        assert kind.action
    with pytest.raises(BadSelection, match="vpin"):
        WatchdogRunner({"vpin": WatchdogSettings()})


def test_a_pause_keeps_alerts_back_and_ends_by_itself() -> None:
    runner = WatchdogRunner()
    pause = Override("dependency_watchdog", paused_until=day(10))
    runner.apply({pause.watchdog: pause})
    for number in range(5):
        assert not runner.observe(poll(number, False), wall=day(9))
    for number in range(5, 8):
        runner.observe(poll(number, True), wall=day(9))
    raised = [runner.observe(poll(n, False), wall=day(10) + timedelta(seconds=n)) for n in range(3)]
    assert [len(alerts) for alerts in raised] == [0, 0, 1]


def test_what_broke_in_a_pause_and_is_broken_after_it_is_told_then_once() -> None:
    runner = WatchdogRunner()
    runner.apply({"dependency_watchdog": Override("dependency_watchdog", paused_until=day(10))})
    for number in range(5):
        assert not runner.observe(poll(number, False), wall=day(9))
    raised = [runner.observe(poll(n, False), wall=day(11)) for n in range(5, 8)]
    assert [len(alerts) for alerts in raised] == [1, 0, 0]
    assert "red for 6 polls" in raised[0][0].message
    (status,) = [dog for dog in runner.status() if dog.name == "dependency_watchdog"]
    assert status.alerts == 1, "what nobody was told is no alert"


def test_a_pause_does_not_tell_again_what_was_told_before_it() -> None:
    runner = WatchdogRunner()
    before = [runner.observe(poll(n, False), wall=day(1)) for n in range(3)]
    assert sum(map(len, before)) == 1
    runner.apply({"dependency_watchdog": Override("dependency_watchdog", paused_until=day(10))})
    for number in range(3, 6):
        assert not runner.observe(poll(number, False), wall=day(9))
    assert not runner.observe(poll(6, False), wall=day(11))


VOLATILITY = {"portfolio_vol_dd": WatchdogSettings(params={"target": 0.16, "window": 21})}


def test_a_restart_knows_what_a_pause_kept_back() -> None:
    """The log holds what was seen and what was told; what was not told is told after it."""
    seen, told = WatchdogRunner(VOLATILITY), WatchdogRunner(VOLATILITY)
    seen.remember(_rows(tell=False))
    told.remember(_rows(tell=True))
    assert f"fund:{FUND}" in _tripped(told)
    assert not _tripped(seen)


def _rows(*, tell: bool) -> list[AuditEntry]:
    """Return the entries of a fund that crashes, with the alerts that told it or without."""
    runner, rows, value = WatchdogRunner(VOLATILITY), list[AuditEntry](), 1_000_000.0
    for number, change in enumerate([*returns(50, 0.01), *returns(30, 0.03)]):
        value *= 1 + change
        snapshot = nav(number, f"{value:.2f}")
        rows.append(_entry(len(rows), "nav_updated", snapshot))
        for alert in runner.observe(snapshot, wall=day(number)) if tell else ():
            rows.append(_entry(len(rows), "watchdog_alert", alert))
    return rows


def _entry(sequence: int, action: str, model: FrozenModel) -> AuditEntry:
    data = model.model_dump(mode="json")
    return AuditEntry(sequence, "", START, "x", action, "x", data, "")


def _tripped(runner: WatchdogRunner) -> list[str]:
    return [scope for dog in runner.status() for scope in dog.tripped]


def test_a_threshold_is_changed_and_given_back() -> None:
    runner = WatchdogRunner({"portfolio_vol_dd": WatchdogSettings(threshold=2.0)})

    def threshold() -> float:
        return {dog.name: dog.threshold for dog in runner.status()}["portfolio_vol_dd"]

    assert threshold() == 2.0
    runner.apply({"portfolio_vol_dd": Override("portfolio_vol_dd", threshold=1.2)})
    assert threshold() == 1.2
    runner.apply({})
    assert threshold() == 2.0


def test_a_disabled_watchdog_sees_nothing() -> None:
    runner = WatchdogRunner({"dependency_watchdog": WatchdogSettings(enabled=False)})
    assert not any(runner.observe(poll(n, False), wall=day(0)) for n in range(5))
    status = {dog.name: dog for dog in runner.status()}["dependency_watchdog"]
    assert (status.enabled, status.observed) == (False, 0)


def test_the_volatility_target_is_that_of_the_strategies() -> None:
    fund = {"fund_id": FUND, "name": "f", "target_nav_usd": "1000000"}
    envelope = {"envelope_id": "e", "fund_id": FUND, "nav_usd": "1000000"}
    strategy = {"fund_id": FUND, "kind": "k", "symbols": ["IXIC"]}
    made = Settings.model_validate(
        {
            "funds": [{"fund": fund, "envelope": envelope}],
            "strategies": [
                strategy | {"strategy_id": "a", "params": {"target_ann_vol": 0.1}},
                strategy | {"strategy_id": "b", "params": {"target_ann_vol": 0.2}},
                strategy
                | {"strategy_id": "c", "params": {"target_ann_vol": 0.9}, "enabled": False},
            ],
        }
    )
    assert watchdog_settings(made)["portfolio_vol_dd"].params == {f"target.{FUND}": 0.2}


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
@settings(max_examples=50, deadline=None)
def test_the_moments_are_those_of_the_sample(values: list[float]) -> None:
    from statistics import fmean, stdev

    moments = Moments()
    for value in values:
        moments.add(value)
    assert moments.mean == pytest.approx(fmean(values), rel=1e-9, abs=1e-6)
    assert moments.deviation == pytest.approx(stdev(values), rel=1e-6, abs=1e-4)


def test_the_normal_quantile() -> None:
    assert two_sided_z(0.95) == pytest.approx(1.959964, abs=1e-6)
    with pytest.raises(ValueError, match="between 0 and 1"):
        two_sided_z(1.0)


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"vpn": {}}, "watchdogs.vpn"),
        ({"db_watchdog": {"params": {"backlgo": 5}}}, "watchdogs.db_watchdog.params.backlgo"),
        ({"portfolio_vol_dd": {"params": {"window": 1}}}, "portfolio_vol_dd.params.window"),
        ({"portfolio_vol_dd": {"params": {"target.f": -1}}}, "portfolio_vol_dd.params.target.f"),
        ({"strategy_watchdog": {"params": {"history": 1e300}}}, "params.history"),
        ({"bus_access": {"params": {"calm": 0}}}, "watchdogs.bus_access.params.calm"),
    ],
)
def test_a_watchdog_that_could_not_be_made_is_refused_before_the_start(
    told: dict[str, Any], key: str
) -> None:
    wrong = Settings.model_validate({"watchdogs": told})
    with pytest.raises(ConfigError, match=key):
        check_settings(wrong)
    assert key in str(refusal_of(wrong))


def test_what_a_watchdog_reads_is_taken() -> None:
    told = {name: {"params": dict.fromkeys(known, 5)} for name, known in PARAMETERS.items()}
    told["portfolio_vol_dd"]["params"] |= {"target.alpha": 0.2, "calm": 3}
    made = Settings.model_validate({"watchdogs": told})
    check_settings(made)
    WatchdogRunner(watchdog_settings(made))


def test_the_parameters_are_those_that_the_sources_read() -> None:
    read = {}
    for name, kind in WATCHDOGS.items():
        source = inspect.getsource(sys.modules[kind.__module__])
        read[name] = set(re.findall(r"params\.get\(\"(\w+)\"", source))
    assert read == {name: set(PARAMETERS.get(name, ())) for name in WATCHDOGS}
