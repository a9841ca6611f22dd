"""Values that are none: each is refused with its key, at the reading and not in a service later."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_foundation.limits import SymbolLimits
from mts1b_platform.config import ConfigError, Settings, load_settings

BASE: dict[str, Any] = {
    "instruments": [{"symbol": "SPX", "asset_class": "equities"}],
    "funds": [
        {
            "fund": {"fund_id": "alpha", "name": "Alpha", "target_nav_usd": "1000000"},
            "envelope": {"envelope_id": "e1", "fund_id": "alpha", "nav_usd": "1000000"},
        }
    ],
    "strategies": [
        {"strategy_id": "trend", "fund_id": "alpha", "kind": "rule", "symbols": ["SPX"]}
    ],
    "mandates": [
        {
            "mandate_id": "m",
            "strategy_id": "trend",
            "fund_id": "alpha",
            "symbols": ["SPX"],
            "owner": "ann",
        }
    ],
    "api": {"signals": [{"source": "tv", "strategy_id": "trend"}]},
    "limits": {"symbols": {"SPX": {}}, "permissions": {"trend": {}}},
    "watchdogs": {"db_watchdog": {"params": {"calm": 5}}},
}
KEYS = {"watchdogs": "db_watchdog", "permissions": "trend"}
Path_ = tuple[str | int, ...]


def places(schema: dict[str, Any], shapes: dict[str, Any], path: Path_) -> Iterator[Path_]:
    """Yield every setting of the schema, by a path into the base."""
    for name, field in schema.get("properties", {}).items():
        here = (*path, name)
        found = shapes.get(str(field.get("$ref", "")).rpartition("/")[2], field)
        inner = found.get("items", {}), found.get("additionalProperties", {})
        each, named = (
            shapes.get(str(one.get("$ref", "")).rpartition("/")[2]) if isinstance(one, dict) else {}
            for one in inner
        )
        if "properties" in found:
            yield from places(found, shapes, here)
        elif each and "properties" in each:
            yield here
            yield from places(each, shapes, (*here, 0))
        elif named and "properties" in named:
            yield here
            yield from places(named, shapes, (*here, KEYS[name]))
        else:
            yield here
    if path == ("limits",):
        yield from ((*path, "symbols", "SPX", name) for name in SymbolLimits.model_fields)


def changed(path: Path_, value: object) -> dict[str, Any]:
    data: Any = deepcopy(BASE)
    part = data
    for name in path[:-1]:
        part = part[name] if isinstance(part, list) else part.setdefault(name, {})
    part[path[-1]] = value
    return data  # type: ignore[no-any-return]


def read(home: Path, data: object) -> ConfigError | None:
    """Return what is wrong; whatever else is raised is a defect."""
    (home / "mts.yaml").write_text(yaml.safe_dump(data))
    try:
        load_settings(home, environ={})
    except ConfigError as error:
        return error
    return None


SCHEMA = Settings.model_json_schema()
PLACES = list(places(SCHEMA, SCHEMA["$defs"], ()))
NAMES = [".".join(map(str, path)) for path in PLACES]


def test_the_base_is_right_and_every_setting_is_tried(tmp_path: Path) -> None:
    assert read(tmp_path, BASE) is None
    assert len(PLACES) > 180


@pytest.mark.parametrize("path", PLACES, ids=NAMES)
def test_no_setting_takes_what_is_no_number_or_no_end(tmp_path: Path, path: Path_) -> None:
    free = {"params", "default"}
    for value in (math.nan, math.inf):
        error = read(tmp_path, changed(path, value))
        assert error is not None, f"{path} takes {value}"
        assert str(path[-1]) in str(error) or path[-1] in free


@pytest.mark.parametrize("path", PLACES, ids=NAMES)
def test_odd_values_are_told_by_their_key_or_taken(tmp_path: Path, path: Path_) -> None:
    odd = (-1, 10**40, "", "bogus!", [], ["a", "a"], {}, True)
    for value in odd:
        error = read(tmp_path, changed(path, value))
        if error is not None:
            assert error.key.split(".")[0] in Settings.model_fields, f"{path} {value!r}: {error}"
            assert error.message


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("funds.0.envelope.daily_loss_halt_pct", True, "a number is wanted, got True"),
        ("funds.0.envelope.max_order_qty", True, "a number is wanted"),
        ("limits.repeat_max", True, "a number is wanted"),
        ("limits.symbols.SPX.lot_size", True, "a number is wanted"),
        ("watchdogs.db_watchdog.params.calm", True, "a number is wanted"),
        ("venue.latency_ms", False, "a number is wanted"),
        ("replay.start", 2000, "a time, e.g. 2000-01-03T21:00:00Z, is wanted, got 2000"),
        ("mandates.0.valid_until", 20200101, "a time"),
        ("store.keep_days", 10**9, "less than or equal to 36500"),
        ("store.url_template", "sqlite:///x", "postgresql+asyncpg://USER@HOST/DATABASE"),
        ("store.url_template", "postgresql+asyncpg://h/{nme}", "may stand in braces"),
        ("bus.url", "localhost:4222", "nats://HOST:PORT"),
        ("bus.url", "nats://h:99999", "no address of a bus"),
        ("bus.url", "", "nats://HOST:PORT"),
        ("replay.dataset", "../mine", "pattern"),
        ("venue.slippage_bps", 10_000, "less than 10000"),
        ("venue.fee_bps_per_side", "1e9", "less than or equal to 10000"),
        ("venue.initial_cash_usd", -5, "greater than 0"),
        ("venue.dead_man_s", math.inf, "finite"),
        ("risk.timeout_s", 1e300, "less than or equal to"),
        ("service.heartbeat_s", math.inf, "finite"),
        ("service.heartbeat_s", 1e-9, "greater than or equal to 0.01"),
        ("halt.renew_s", 1e-9, "greater than or equal to 0.01"),
        ("limits.session_open_margin_s", 1e300, "less than or equal to 86400"),
        ("limits.expiry_days", 10**9, "less than or equal to 36500"),
        ("limits.block_ttl_s", math.inf, "finite"),
        ("funds.0.envelope.max_short_fee_bps", math.inf, "finite"),
        ("funds.0.envelope.cro_veto_timeout_s", math.inf, "less than or equal to 3600"),
        ("funds.0.envelope.version", 2**31, "less than or equal to"),
        ("funds.0.envelope.nav_usd", "1e40", "more than there is"),
        ("funds.0.fund.target_nav_usd", "1e16", "more than there is"),
        ("watchdogs.db_watchdog.threshold", -1, "greater than or equal to 0"),
        ("watchdogs.db_watchdog.threshold", math.nan, "finite"),
        ("api.host", "my host", "pattern"),
        ("instruments.0.lot_size", "1e300", "not from 1E-18 to 1E+12"),
        ("limits.symbols.SPX.tick_size", "1e-30", "not from 1E-18 to 1E+12"),
        ("mandates.0.mandate_id", "a b", "is no name"),
        ("operator.script", True, "in a replay or a backtest alone"),
    ],
)
def test_what_would_fail_later_fails_at_the_reading(
    tmp_path: Path, key: str, value: object, told: str
) -> None:
    path = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    error = read(tmp_path, changed(path, value))
    assert error is not None, "taken"
    assert (error.key, told in error.message) == (key, True), str(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bus.url", "nats:/s3cret@host"),
        ("bus.url", "nats://user:s3cret/x@host"),
        ("store.url_template", "postgresql://mts:s3cret@db/{name}"),
        ("store.url_template", "postgresql+asyncpg://mts:s3cret@db/{nme}"),
    ],
)
def test_an_address_that_is_none_does_not_tell_its_password(
    tmp_path: Path, key: str, value: str
) -> None:
    error = read(tmp_path, changed(tuple(key.split(".")), value))
    assert error is not None
    assert error.key == key
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("name", [" ", "a b", "a>b", "*", "ü", "../x", "a\nb", "unassigned"])
def test_a_fund_has_a_name_that_can_be_said_on_the_bus(tmp_path: Path, name: str) -> None:
    text = yaml.safe_dump(BASE).replace("alpha", "FUND")
    data = yaml.safe_load(text)
    for part in (*data["funds"][0].values(), data["strategies"][0], data["mandates"][0]):
        part["fund_id"] = name
    error = read(tmp_path, data)
    assert error is not None
    assert error.key == "funds.0.fund.fund_id"


def test_two_funds_that_the_bus_would_call_the_same_are_refused(tmp_path: Path) -> None:
    data = deepcopy(BASE)
    for name in ("a.b", "a_b"):
        one = deepcopy(BASE["funds"][0])
        one["fund"]["fund_id"] = one["envelope"]["fund_id"] = name
        data["funds"].append(one)
    error = read(tmp_path, data)
    assert error is not None
    assert error.key == "funds.2.fund.fund_id"


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("MTS_LIMITS", '{"repeat_max": true}', "limits.repeat_max"),
        ("MTS_REPLAY", '{"start": 2000}', "replay.start"),
        ("MTS_LIMITS__SYMBOLS", '{"SPX": {"lot_size": true}}', "limits.symbols.SPX.lot_size"),
        (
            "MTS_INSTRUMENTS",
            '[{"symbol": "ES@202612", "asset_class": "futures", "multiplier": 50}]',
            "instruments.0.multiplier",
        ),
    ],
)
def test_a_variable_is_held_to_the_same_and_blamed(
    tmp_path: Path, variable: str, value: str, key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path, environ={variable: value})
    assert (caught.value.source, caught.value.key) == (variable, key)
