"""Settings that are right each by itself and wrong together: each is named by its key."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_platform.config import ConfigError, Settings, load_settings

BASE: dict[str, Any] = {
    "instruments": [{"symbol": "SPX", "asset_class": "equities", "sector": "broad"}],
    "funds": [
        {
            "fund": {
                "fund_id": "alpha",
                "name": "Alpha",
                "target_nav_usd": "1000000",
                "strategies": ["trend"],
            },
            "envelope": {"envelope_id": "e1", "fund_id": "alpha", "nav_usd": "1000000"},
        }
    ],
    "strategies": [
        {"strategy_id": "trend", "fund_id": "alpha", "kind": "rule", "symbols": ["SPX"]}
    ],
}


def load(home: Path, changes: dict[str, Any]) -> Settings:
    """Read settings that differ from the base at dotted places."""
    data = deepcopy(BASE)
    for place, value in changes.items():
        *path, last = place.split(".")
        part: Any = data
        for name in path:
            part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
        if isinstance(part, list):
            part.insert(int(last), value)
        else:
            part[last] = value
    (home / "mts.yaml").write_text(yaml.safe_dump(data))
    return load_settings(home, environ={})


def mandate(**changes: Any) -> dict[str, Any]:
    known = {"mandate_id": "m", "strategy_id": "trend", "fund_id": "alpha", "symbols": ["SPX"]}
    return known | {"owner": "ann"} | changes


def strategy(**changes: Any) -> dict[str, Any]:
    return {**BASE["strategies"][0], **changes}


def test_the_base_is_right(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert settings.funds[0].fund.strategies == ["trend"]
    assert load(tmp_path, {"funds.0.fund.strategies": []}) != settings


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"funds.0.fund.base_currency": "EUR"}, "funds.0.fund.base_currency", "set USD"),
        ({"funds.1": BASE["funds"][0]}, "funds.1.fund.fund_id", "alpha is listed twice"),
        ({"strategies.1": strategy()}, "strategies.1.strategy_id", "trend is listed twice"),
        ({"strategies.0.symbols": ["SPX", "SPX"]}, "strategies.0.symbols.1", "SPX is listed twice"),
        ({"strategies.0.symbols": ["spx"]}, "strategies.0.symbols.0", "'spx' is not a symbol"),
        ({"strategies.0.interval": "2d"}, "strategies.0.interval", "is not one of 1m, 5m"),
        ({"strategies.0.fund_id": "beta"}, "strategies.0.fund_id", "not among alpha"),
        ({"funds.0.fund.strategies": ["trnd"]}, "strategies.0.strategy_id", "may trade for fund"),
        (
            {"funds.0.fund.strategies": ["trend", "trend"]},
            "funds.0.fund.strategies.1",
            "listed twice",
        ),
        (
            {"strategies.1": strategy(strategy_id="carry")},
            "strategies.1.strategy_id",
            "carry is not among those that may trade for fund alpha: trend",
        ),
        (
            {"mandates": [mandate(), mandate(mandate_id="n", strategy_id="carry")]},
            "mandates.1.strategy_id",
            "carry is not among those that may trade for fund alpha",
        ),
        ({"mandates": [mandate(fund_id="beta")]}, "mandates.0.fund_id", "not among alpha"),
        ({"mandates": [mandate(), mandate()]}, "mandates.1.mandate_id", "m is listed twice"),
        (
            {"mandates": [mandate(), mandate(mandate_id="n")]},
            "mandates.1.strategy_id",
            "trend for alpha is listed twice",
        ),
        ({"limits.reducing_funds": ["alfa"]}, "limits.reducing_funds", "did you mean alpha?"),
        ({"limits.reducing_strategies": ["x"]}, "limits.reducing_strategies", "binds nobody"),
        ({"limits.permissions": {"x": {}}}, "limits.permissions", "not among trend"),
        ({"limits.symbols": {"SPY": {}}}, "limits.symbols", "did you mean SPX?"),
        ({"instruments.0.lot_size": 10}, "instruments.0.lot_size", "limits.check_increments"),
        ({"instruments.0.tick_size": "0.05"}, "instruments.0.tick_size", "nobody checks"),
        (
            {"instruments.0.minimum_notional": 5},
            "instruments.0.minimum_notional",
            "limits.check_increments",
        ),
        (
            {"replay.start": "2001-01-01T00:00:00Z", "replay.end": "2000-01-01T00:00:00Z"},
            "replay.end",
            "before it starts",
        ),
        (
            {"replay.enabled": True, "strategies.0.interval": "1h"},
            "strategies.0.interval",
            "the replay plays 1d",
        ),
        (
            {
                "mandates": [
                    mandate(valid_from="2021-01-01T00:00Z", valid_until="2020-01-01T00:00Z")
                ]
            },
            "mandates.0.valid_until",
            "before it starts",
        ),
        (
            {"funds.0.envelope.synthetic_stop_pct": 0.05},
            "funds.0.envelope.synthetic_stop_pct",
            "none would be placed",
        ),
        ({"strategies.0.strategy_id": "unallocated"}, "strategies.0.strategy_id", "use another"),
        ({"replay.symbols": ["A", "A"]}, "replay.symbols.1", "A is listed twice"),
        ({"replay.interval": "daily"}, "replay.interval", "is not one of"),
        (
            {"api.signals": [{"source": "tv", "strategy_id": "x"}]},
            "api.signals.0.strategy_id",
            "not among trend",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, Any], key: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, changes)
    assert (caught.value.key, caught.value.source) == (key, str(tmp_path / "mts.yaml"))
    assert told in caught.value.message


def test_steps_are_taken_where_they_are_checked(tmp_path: Path) -> None:
    changes = {"instruments.0.lot_size": 10, "limits.check_increments": True}
    assert load(tmp_path, changes).instruments[0].lot_size == 10


def test_a_list_of_strategies_may_name_one_that_is_not_there(tmp_path: Path) -> None:
    changes = {"funds.0.fund.strategies": ["trend", "retired"]}
    assert len(load(tmp_path, changes).strategies) == 1


def test_limits_of_listed_instruments_are_limits_of_something(tmp_path: Path) -> None:
    changes = {
        "instruments.1": {"symbol": "SPY", "asset_class": "equities"},
        "limits.symbols": {"SPY": {"reduce_only": True}},
    }
    assert "SPY" in load(tmp_path, changes).limits.symbols
