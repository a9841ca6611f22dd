"""Every argument of the mathematics and every parameter of the six meets hostile values by name.

The arguments come from the signatures and the parameters from the models, so what is new is met.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import mts1b_oms_algos
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, Side
from mts1b_oms_algos import (
    AlgoError,
    AlmgrenChrissParameters,
    BadParameter,
    IcebergParameters,
    PovParameters,
    ShortfallParameters,
    TwapParameters,
    VwapParameters,
    algorithms,
    transaction_costs,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
HOSTILE: list[Any] = [
    *(None, "x", "", b"1", [], {}, 1j, object, np.array([1.0]), ("a",), True),
    *(math.nan, math.inf, -math.inf, -1, 0, 0.5, 1e300, 1e-300, 5e-324, 10**400),
    *(Decimal(1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+400")),
    *(np.float64("nan"), np.int64(3), "2026-03-02"),
    *(datetime(2026, 3, 2), datetime.min.replace(tzinfo=UTC)),  # noqa: DTZ001 naive on purpose
    datetime.max.replace(tzinfo=UTC),
]
MARKET = {
    "shares": 1e6,
    "horizon": 5.0,
    "n_intervals": 5,
    "volatility": 0.95,
    "permanent_impact": 2.5e-7,
    "temporary_impact": 2.5e-6,
    "fixed_cost": 0.06,
    "risk_aversion": 2e-6,
}
DECIDED = {
    "side": "buy",
    "ordered": 1000,
    "filled": 800,
    "decision_price": 50.0,
    "arrival_price": 50.1,
    "execution_price": 50.2,
    "final_price": 50.5,
    "fees": 10.0,
}
PLAIN: dict[str, dict[str, Any]] = {
    "almgren_chriss_trajectory": MARKET,
    "implementation_shortfall": DECIDED,
}
OTHERWISE = {"algorithms", "transaction_costs"}
"""Their arguments are ports, orders, fills and bars: met below."""
MODELS = {
    "twap": TwapParameters,
    "vwap": VwapParameters,
    "pov": PovParameters,
    "iceberg": IcebergParameters,
    "almgren_chriss": AlmgrenChrissParameters,
    "is_": ShortfallParameters,
}
ORDER = Order(
    order_id="ord-parent",
    idempotency_key="alpha/AAPL/7",
    symbol="AAPL",
    side=Side.BUY,
    quantity=Decimal(1000),
    reference_price=Decimal("187.50"),
    fund_id="fund-1",
    strategy_id="alpha",
    created_at=START,
)


class Leaping(VirtualClock):
    """A clock that goes to the end of every sleep at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


async def children(name: str, params: Any) -> int:
    count = 0
    stream = algorithms(clock=Leaping(START), rng=SeededRng(1))[name](ORDER, params=params)
    async for _ in stream:
        count += 1
        if count == 200:
            await stream.aclose()  # type: ignore[attr-defined]
            break
    return count


def meet(name: str, given_: dict[str, Any]) -> str:
    """Return what the typed error says, "" where every number of the result is one."""
    function: Callable[..., Any] = getattr(mts1b_oms_algos, name)
    try:
        found = function(**given_)
    except BadParameter as error:
        return str(error)
    for field in found.__dataclass_fields__:
        assert not np.isnan(getattr(found, field)).any(), (given_, field)
    return ""


def test_every_function_and_every_argument_has_hostile_values() -> None:
    public = {getattr(mts1b_oms_algos, name) for name in mts1b_oms_algos.__all__}
    functions = {one.__name__ for one in public if inspect.isfunction(one)}
    assert functions == {*PLAIN, *OTHERWISE}
    for name, plain in PLAIN.items():
        assert set(plain) == set(inspect.signature(getattr(mts1b_oms_algos, name)).parameters)
    assert set(MODELS) == set(algorithms(clock=Leaping(START), rng=SeededRng(1)))


@pytest.mark.parametrize("name", PLAIN)
def test_a_hostile_argument_is_refused_by_name_or_a_number(name: str) -> None:
    for argument in PLAIN[name]:
        for value in HOSTILE:
            said = meet(name, {**PLAIN[name], argument: value})
            assert not said or argument in said or "temporary_impact" in said, (argument, value)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_several_hostile_arguments_at_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(PLAIN)))
    chosen = data.draw(st.lists(st.sampled_from(sorted(PLAIN[name])), min_size=2, max_size=3))
    hostile = {key: data.draw(st.sampled_from(HOSTILE)) for key in chosen}
    said = meet(name, {**PLAIN[name], **hostile})
    assert not said or any(argument in said for argument in PLAIN[name]), said


@pytest.mark.parametrize("name", MODELS)
def test_a_hostile_parameter_is_refused_or_sliced(name: str) -> None:
    plain = {"average_daily_volume": Decimal(10**6)} if name in ("pov", "vwap") else {}
    for field in MODELS[name].model_fields:
        for value in HOSTILE:
            with contextlib.suppress(AlgoError):
                asyncio.run(children(name, {**plain, field: value}))
    for params in (None, 5, [], "x", {5: 1}, {None: 1}):
        with pytest.raises(AlgoError):
            asyncio.run(children(name, params))


def test_what_is_no_order_fill_or_bar_has_no_costs() -> None:
    for order, fills, bars in (
        (None, [], []),
        ("x", [], []),
        (ORDER, None, []),
        (ORDER, [], None),
        (ORDER, [1], []),
        (ORDER, [], [1]),
        (ORDER, 5, 5),
    ):
        with pytest.raises(BadParameter):
            transaction_costs(order, fills, bars)  # type: ignore[arg-type]
