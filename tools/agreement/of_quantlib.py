"""Options beside QuantLib."""

from __future__ import annotations

import math

import QuantLib
from mts1b_quantkit import options

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "QuantLib"
SPOT, YEARS, RATE, VOLATILITY = 100.0, 0.75, 0.03, 0.2
STRIKES = (80.0, 100.0, 120.0)


def _calculator(strike: float) -> QuantLib.BlackCalculator:
    discount = math.exp(-RATE * YEARS)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, strike)
    return QuantLib.BlackCalculator(
        payoff, SPOT / discount, VOLATILITY * math.sqrt(YEARS), discount
    )


def _ours(_: Data) -> list[list[float]]:
    found = [options.bs_greeks(SPOT, k, YEARS, RATE, VOLATILITY, "put") for k in STRIKES]
    return [[one.delta, one.gamma, one.vega, one.theta, one.rho] for one in found]


def _theirs(_: Data) -> list[list[float]]:
    return [
        [
            one.delta(SPOT),
            one.gamma(SPOT),
            one.vega(YEARS),
            one.theta(SPOT, YEARS),
            one.rho(YEARS),
        ]
        for one in map(_calculator, STRIKES)
    ]


def _prices() -> list[float]:
    return [float(options.bs_price(SPOT, k, YEARS, RATE, VOLATILITY, "put")) for k in STRIKES]


def _implied(_: Data) -> list[float]:
    discount = math.exp(-RATE * YEARS)
    return [
        QuantLib.blackFormulaImpliedStdDev(
            QuantLib.Option.Put, strike, SPOT / discount, price, discount, 0.0, 0.3, 1e-12
        )
        / math.sqrt(YEARS)
        for strike, price in zip(STRIKES, _prices(), strict=True)
    ]


COMPARISONS = [
    Comparison(
        "options.bs_price",
        "BlackCalculator.value",
        lambda d: _prices(),
        lambda d: [_calculator(k).value() for k in STRIKES],
        why="puts",
    ),
    Comparison(
        "options.bs_greeks",
        "BlackCalculator",
        _ours,
        _theirs,
        why="puts; delta, gamma, vega, theta, rho",
    ),
    Comparison(
        "options.implied_volatility",
        "blackFormulaImpliedStdDev",
        lambda d: [
            options.implied_volatility(price, SPOT, strike, YEARS, RATE, "put")
            for strike, price in zip(STRIKES, _prices(), strict=True)
        ],
        _implied,
        1e-9,
        "QuantLib stops at 1e-12 of the deviation, and may not reach it",
    ),
]
