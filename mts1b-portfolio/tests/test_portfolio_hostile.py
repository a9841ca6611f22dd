"""Every argument of every public function meets hostile values: a typed error, or finite numbers.

The table names the kind of each argument; a function or an argument without a row fails. An error
about a single number names its argument. What a function documents as infinite is in ``INFINITE``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import mts1b_portfolio
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import Signal
from mts1b_portfolio import (
    AllocationSettings,
    PortfolioError,
    SessionMatrix,
    SessionRule,
    net_strategies,
)
from mts1b_quantkit import QuantError
from mts1b_quantkit.allocators import min_variance

TYPED = (QuantError, PortfolioError)
RNG = np.random.default_rng(17)
PLAIN = RNG.normal(0.001, 0.01, (70, 3))
COVARIANCE = np.cov(PLAIN.T)
NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
SIGNAL = Signal(
    signal_id="1",
    agent_id="trend",
    symbol="AAPL",
    strategy="demo",
    thesis="it moves",
    direction=1,
    confidence=0.5,
    expected_return=0.02,
    horizon_minutes=60,
    reference_price="187.50",
    created_at=NOON,
)
STRANGE: list[Any] = [None, "x", "", b"1", [], {}, 1j, object, np.array([1.0]), {"A"}]
NUMBERS: list[Any] = [
    *(math.nan, math.inf, -math.inf, -1, 0, 0.5, 1e300, 1e-300, 5e-324, 1e75, 10**400, True),
    *(Decimal(1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+400")),
    *(np.float64("nan"), np.int64(3), np.float32(0.5)),
]
DECIMALS: list[Any] = [
    *(Decimal(text) for text in ("5", "0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "0.1")),
    *(Decimal(text) for text in ("1E+300", "1E-300", "1E+999999", "1E-999999", "1E+30", "1E-30")),
    *(math.nan, 1.0, 5, True, "5"),
]


def with_value(value: float, row: int = 7) -> np.ndarray:
    data = PLAIN.copy()
    data[row, 1] = value
    return data


MATRICES: list[Any] = [
    *(with_value(value) for value in (math.nan, math.inf, -math.inf, -1.0, -2.0, 1e300)),
    *(np.empty((0, 3)), np.empty((70, 0)), PLAIN[:1], PLAIN[:2], np.ones((2, 2, 2))),
    *(np.full((70, 3), 0.001), np.zeros((70, 3)), PLAIN[:, [0, 0, 1]], PLAIN * [1.0, 0.0, 1.0]),
    *(PLAIN * 2.0**power for power in (-1000, -500, -200, 200, 500, 1000)),
    *(-np.abs(PLAIN), np.abs(PLAIN), (PLAIN * 100).astype(int), PLAIN.astype(object)),
    *(np.full((70, 3), "a"), np.full((70, 3), "a", object), PLAIN[:, 0], 1.0),
    pd.DataFrame(PLAIN, columns=list("abc"), index=pd.date_range("2026-01-01", periods=70)),
    pd.DataFrame(
        PLAIN, columns=list("aab"), index=pd.date_range("2026-01-01", periods=70, tz="UTC")
    ),
    pd.DataFrame({"a": ["x"], "b": [1.0], "c": [2.0]}),
    pl.DataFrame(PLAIN, schema=["a", "b", "c"]),
    pl.DataFrame({"a": [1.0, None], "b": [0.1, 0.2], "c": [0.1, 0.2]}),
    np.ma.masked_array(PLAIN, mask=PLAIN > 0.01),
    *(COVARIANCE, -np.eye(3), np.ones((3, 3)), np.eye(3) + np.eye(3, k=1)),
    *(COVARIANCE * 2.0**-900, np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
]
VECTORS: list[Any] = [
    *(np.full(3, value) for value in (math.nan, math.inf, 0.0, 1e300, 1e75, 1e-300, 5e-324)),
    *(np.array([0.1, np.nan, 0.3]), np.array([0.1]), np.array([]), np.array([1, 2, 3])),
    *({"A": 1.0, "B": math.nan, "C": 2.0}, {"A": 1.0, "B": None, "C": 2.0}, {"A": "1"}, "abc"),
    *(pd.Series([0.1, 0.2, 0.3], index=list("aab")), pl.Series([0.1, None, 0.3])),
]
VOLUMES: list[Any] = [
    *(np.full(70, value) for value in (0.0, -1.0, math.nan, math.inf, 1e-300, 1e75, 1e300)),
    *(np.full(3, 1e5), np.where(np.arange(70) == 69, np.nan, 1e5)),
]


def inside(values: list[Any], key: str) -> list[Any]:
    """Return mappings with each value under a key, under keys that are none, and no mappings."""
    good = values[0]
    strange = [{}, {"": good}, {"a b/!": good}, {5: good}, {None: good}, [], [1], "x", None]
    return [{key: value} for value in values] + strange


def beside(values: list[Any]) -> list[Any]:
    """Return books of two strategies, of which one has a hostile quantity or none."""
    return [{"a": inner, "b": {"X": Decimal(-2)}} for inner in inside(values, "X")] + ["x", None]


HOSTILE: dict[str, list[Any]] = {
    "number": NUMBERS + STRANGE,
    "count": NUMBERS + STRANGE,
    "decimal": DECIMALS + STRANGE,
    "matrix": MATRICES + VECTORS + STRANGE,
    "vector": VECTORS + MATRICES + STRANGE,
    "series": VOLUMES + VECTORS + MATRICES + STRANGE,
    "weights": inside(NUMBERS + STRANGE, "A"),
    "volumes": inside(VOLUMES + MATRICES + STRANGE, "A"),
    "quantities": inside(DECIMALS + STRANGE, "A"),
    "book": beside(DECIMALS + STRANGE),
    "choice": ["x", None, [], 5, math.nan],
    "symbol": ["", None, 5],
    "bounds": [
        *((1, 0), (math.nan, 1), ("a", "b"), (-1e300, 1e300), (0, 0), (0, 0.1), [(0, 1), (0, 1)]),
        *({"x": (0, 1)}, None, *NUMBERS, *STRANGE),
    ],
    "sleeves": [
        *({"a": {"weights": inner}} for inner in inside(NUMBERS + STRANGE, "A")),
        *({"a": inner} for inner in ({}, None, [1], {"weights": {}, "alocation": 1})),
        *({"a": {"weights": {"A": 1.0}, "allocation": x}} for x in NUMBERS + STRANGE),
        *({}, None, "x", [1], {"a": {"weights": {5: 1.0, "5": 2.0}}}),
    ],
    "signal": [
        *STRANGE,
        *(
            SIGNAL.model_copy(update={name: value})
            for name in ("confidence", "expected_return", "liquidity_score")
            for value in (math.nan, math.inf, -math.inf, 1e300, None)
        ),
    ],
    "rules": [
        *({"RTH": {"sizer": "fixed_weight", "gross_cap": value}} for value in NUMBERS + STRANGE),
        *({"RTH": {"sizer": value}} for value in STRANGE if value is not object),
        *({"RTH": inner} for inner in (None, {}, [1], {"sizer": "fixed_weight", 5: 1})),
        *({"x": {"sizer": "fixed_weight"}}, {}, None, [1], "x"),
    ],
    "time": [
        *(datetime(2026, 3, 2), None, "2026"),  # noqa: DTZ001 a naive time is the point
        *(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    ],
    "allocator": [
        *(
            None,
            "x",
            lambda _: None,
            lambda _: "abc",
            lambda _: [1.0],
            lambda _: np.full(3, np.nan),
        ),
        *(lambda _: np.array([1, 2, None], object), lambda _: {"x": None, "y": 1.0, "z": 1.0}),
    ],
    "settings": [
        AllocationSettings(on_failure=policy, gross=gross)
        for policy in (None, "hold", "equal", "flat")
        for gross in (math.nan, math.inf, -1.0, 1e300)
    ],
}
HOSTILE["signals"] = [[value] for value in HOSTILE["signal"]] + [[SIGNAL, SIGNAL], [], None, 5]
SCALARS = {"number", "count", "decimal"}


class Row(NamedTuple):
    """A function and its arguments: name to (kind, a plain value)."""

    call: Callable[..., Any]
    arguments: Mapping[str, tuple[str, Any]]


def lot(value: str) -> tuple[str, Decimal]:
    return "decimal", Decimal(value)


FREE = {"expected_returns": ("vector", PLAIN.mean(axis=0)), "cov": ("matrix", COVARIANCE)}
BET = {"p": ("number", 0.6), "b": ("number", 1.0)}
MARKET = {
    "fraction_of_adv": ("number", 0.01),
    "adv_lookback_days": ("count", 21),
    "max_days": ("number", 1.0),
}
TABLE: dict[str, dict[str, tuple[str, Any]]] = {
    "equal_weight_long": {
        "signal": ("matrix", PLAIN),
        "n": ("count", 2),
        "gross": ("number", 1.0),
    },
    "equal_weight_ls": {
        "signal": ("matrix", PLAIN),
        "n_long": ("count", 1),
        "n_short": ("count", 1),
        "gross": ("number", 1.0),
    },
    "fixed_weight": {"weights": ("vector", {"A": 0.2, "B": -0.1}), "gross": ("number", 1.0)},
    "kelly_fraction": {**FREE, "risk_aversion": ("number", 1.0), "cap": ("number", 0.5)},
    "kelly_growth": {
        "weights": ("vector", [0.2, 0.3, 0.5]),
        **FREE,
        "risk_free_rate": ("number", 0.0),
    },
    "kelly_binary": {**BET, "cap": ("number", 0.5)},
    "kelly_binary_growth": {"fraction": ("number", 0.2), **BET},
    "kelly_log_optimal": {
        "returns": ("matrix", PLAIN),
        "bounds": ("bounds", (0, 1)),
        "budget": ("number", 1.0),
    },
    "kelly_voltarget_12": {
        "signal": ("vector", np.array([0.001, 0.002, -0.001])),
        "returns": ("matrix", PLAIN),
        "nav_usd": ("number", 1e6),
    },
    "vol_target_weights": {
        "base_weights": ("vector", np.array([0.2, 0.3, 0.5])),
        "asset_log_returns": ("matrix", PLAIN),
        "target_ann_vol": ("number", 0.1),
        "window": ("count", 63),
        "max_scale": ("number", 3.0),
        "min_scale": ("number", 0.0),
        "lag": ("count", 0),
        "periods_per_year": ("number", 252),
    },
    "compose": {
        "sleeves": ("sleeves", {name: {"weights": {"A": 1.0}} for name in "abc"}),
        "overlay": ("choice", "hrp"),
        "returns": ("matrix", PLAIN),
    },
    "position_capacity": {
        "symbol": ("symbol", "A"),
        "nav_usd": ("number", 1e6),
        "volume": ("series", np.full(70, 1e5)),
        "price": ("number", 10.0),
        **MARKET,
    },
    "fund_capacity": {
        "weights": ("weights", {"A": 1.0}),
        "volumes": ("volumes", {"A": np.full(70, 1e5)}),
        "prices": ("weights", {"A": 10.0}),
        "turnover": ("number", 1.0),
        **MARKET,
    },
    "arbitration_score": {"signal": ("signal", SIGNAL), "weight": ("number", 1.0)},
    "arbitrate": {
        "signals": ("signals", [SIGNAL]),
        "weights": ("weights", {"trend": 1.0}),
        "min_confidence": ("number", 0.4),
    },
    "net_to_orders": {
        "targets": ("quantities", {"A": Decimal(5)}),
        "current": ("quantities", {"A": Decimal(2)}),
        "lot_size": lot("1"),
        "min_quantity": lot("0"),
        "no_trade_band": lot("0"),
        "absent": ("choice", "close"),
    },
    "weights_to_quantities": {
        "weights": ("weights", {"A": 0.5}),
        "nav": lot("1000"),
        "prices": ("quantities", {"A": Decimal(30)}),
        "lot_size": lot("1"),
    },
    "net_strategies": {
        "targets": ("book", {"a": {"X": Decimal(5)}, "b": {"X": Decimal(-2)}}),
        "current": ("book", {"a": {"X": Decimal(1)}}),
        "lot_size": lot("1"),
        "min_quantity": lot("0"),
    },
    "allocate": {
        "allocator": ("allocator", min_variance),
        "returns": ("matrix", PLAIN),
        "settings": ("settings", AllocationSettings(on_failure="hold")),
        "held": ("vector", np.array([0.2, 0.3, 0.5])),
    },
    "SessionMatrix": {"rules": ("rules", {"RTH": {"sizer": "equal_weight_long"}})},
}
RULES = SessionMatrix({"RTH": {"sizer": "equal_weight_long"}})
RULE = RULES.resolve(asset_class="equities", asof=NOON)
assert isinstance(RULE, SessionRule)
ORDER = net_strategies({"a": {"X": Decimal(5)}, "b": {"X": Decimal(2)}}, {}).orders[0]
ROWS = {
    **{name: Row(getattr(mts1b_portfolio, name), row) for name, row in TABLE.items()},
    "NetOrder.split": Row(ORDER.split, {"filled": lot("3")}),
    "SessionMatrix.resolve": Row(
        RULES.resolve, {"asset_class": ("choice", "equities"), "asof": ("time", NOON)}
    ),
    "SessionRule": Row(RULE, {"signal": ("matrix", PLAIN), "n": ("count", 2)}),
}
INFINITE = {"kelly_binary_growth"}
"""Minus infinity is ruin."""
UNHARMED = {"allocate": {"params"}, "SessionMatrix": {"phase_of"}}
"""Arguments that are the caller's own functions, or go to them as they are."""
CLASSES = {"NetOrder", "SessionMatrix", "SessionRule", "NettedBook"}


def numbers_in(result: Any) -> list[float]:
    """Return every number in a result, whatever it is made of."""
    if result is None or isinstance(result, str | bool | Signal):
        return []
    if isinstance(result, int | float | Decimal):
        return [float(result)]
    if isinstance(result, Mapping):
        return [number for value in result.values() for number in numbers_in(value)]
    if isinstance(result, tuple | list):
        return [number for value in result for number in numbers_in(value)]
    if is_dataclass(result):
        return [n for field in fields(result) for n in numbers_in(getattr(result, field.name))]
    if isinstance(result, np.ndarray | pd.DataFrame | pd.Series | pl.DataFrame | pl.Series):
        values: list[float] = np.asarray(result, dtype=float).reshape(-1).tolist()
        return values
    return []


def meet(name: str, given: dict[str, Any]) -> str:
    """Call a function; return what its typed error says, "" where its numbers are finite."""
    call = ROWS[name].call
    positional = [p.name for p in inspect.signature(call).parameters.values() if p.kind in (0, 1)]
    named = {key: value for key, value in given.items() if key not in positional}
    ordered = [given[key] for key in positional if key in given]
    try:
        result = call(*ordered, **named)
    except TYPED as error:
        return str(error)
    found = numbers_in(result)
    assert not any(math.isnan(number) for number in found), (name, result)
    assert name in INFINITE or all(math.isfinite(number) for number in found), (name, result)
    return ""


def plain(name: str) -> dict[str, Any]:
    return {key: value for key, (_, value) in ROWS[name].arguments.items()}


def test_every_argument_of_every_function_has_hostile_values() -> None:
    for name in mts1b_portfolio.__all__:
        found = getattr(mts1b_portfolio, name)
        if inspect.isclass(found) and name not in CLASSES:
            continue  # results, settings and errors: they hold numbers and compute none
        if name in ("NetOrder", "NettedBook", "SessionRule"):
            continue  # made by the package; their methods are rows
        asked = set(inspect.signature(found).parameters) - UNHARMED.get(name, set())
        assert asked == set(TABLE[name]), f"{name} has arguments that meet no hostile value"


@pytest.mark.parametrize("name", ROWS)
def test_a_plain_call_has_an_answer(name: str) -> None:
    assert meet(name, plain(name)) == ""


@pytest.mark.parametrize("name", ROWS)
def test_one_hostile_argument_is_refused_by_name_or_answered(name: str) -> None:
    for argument, (kind, _) in ROWS[name].arguments.items():
        for value in HOSTILE[kind]:
            said = meet(name, {**plain(name), argument: value})
            named = argument in said or argument == "price"  # a missing price names its symbol
            assert not said or kind not in SCALARS or named, f"{name}, {argument}={value}: {said}"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_several_hostile_arguments_at_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ROWS)))
    arguments = ROWS[name].arguments
    chosen = data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=3))
    hostile = {key: data.draw(st.sampled_from(HOSTILE[arguments[key][0]])) for key in chosen}
    said = meet(name, {**plain(name), **hostile})
    assert not said or len(said.split()) > 3, said  # a sentence, not a bare value
