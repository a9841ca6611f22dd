"""Compare two records bar by bar, under a written policy, and say where they part and why.

An aspect without a tolerance fails, and NaN never matches: what is not a number was not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_GPUbacktester import Tolerance
from mts1b_GPUbacktester.desk import DeskFill, DeskOrder, DeskRun

from mts1b_research.parity.record import Record

__all__ = ["ASPECTS", "DEFAULT_POLICY", "Comparison", "Finding", "compare_records"]

ASPECTS = ("order_units", "fill_bar", "fill_units", "fill_price", "fill_fee", "nav")
DEFAULT_POLICY: Mapping[str, Tolerance] = {
    "order_units": Tolerance(),
    "fill_bar": Tolerance(),
    "fill_units": Tolerance(),
    "fill_price": Tolerance(),
    "fill_fee": Tolerance(),
    "nav": Tolerance(relative=1e-9),
}
"""Lots, bars, prices and fees to the last digit; the NAV to nine, since engines sum in floats."""

_ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first difference of an account: in which aspect and bar, both values, likely why."""

    account: str
    aspect: str
    bar: int
    symbol: str
    left: str
    right: str
    cause: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared: how many numbers of each aspect, and each account's first difference."""

    left: str
    right: str
    compared: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Return whether nothing differs and the NAV of a bar was compared at least."""
        return not self.findings and self.compared.get("nav", 0) > 0


def compare_records(
    left: Record, right: Record, *, policy: Mapping[str, Tolerance] = DEFAULT_POLICY
) -> Comparison:
    """Compare every order, fill and NAV of every account.

    :param policy: aspect -> tolerance, relative to the left side; an aspect without one fails.
    """
    counts: Counter[str] = Counter()
    findings = []
    for account in sorted({*left.accounts, *right.accounts}):
        one, two = left.accounts.get(account), right.accounts.get(account)
        if one is None or two is None:
            findings.append(_missing(account, one, two))
            continue
        found = _Account(account, one, two, policy, right, counts).first()
        if found is not None:
            findings.append(found)
    return Comparison(left.side, right.side, dict(counts), tuple(findings))


def _missing(account: str, one: DeskRun | None, two: DeskRun | None) -> Finding:
    there = ["nothing" if run is None else "an account" for run in (one, two)]
    return Finding(account, "account", 0, "", there[0], there[1], "one side has no such account")


class _Account:
    """The comparison of one account; what comes first in time is the finding."""

    def __init__(
        self,
        name: str,
        left: DeskRun,
        right: DeskRun,
        policy: Mapping[str, Tolerance],
        record: Record,
        counts: Counter[str],
    ) -> None:
        self._name, self._left, self._right = name, left, right
        self._policy, self._record, self._counts = policy, record, counts

    def first(self) -> Finding | None:
        """Return the earliest difference; in one bar the one that comes first in trading."""
        found = [*self._orders(), *self._fills(), *self._nav()]
        order = {aspect: place for place, aspect in enumerate(("policy", *ASPECTS))}
        return min(found, key=lambda one: (one.bar, order[one.aspect]), default=None)

    def _orders(self) -> list[Finding]:
        # What is decided at the last bar has no bar to be filled in, and no trade in a simulation.
        last = len(self._left.nav) - 1
        one = [order for order in self._left.orders if order.bar < last]
        two = [order for order in self._right.orders if order.bar < last]
        for left, right in _paired(one, two):
            if left is None or right is None:
                return [self._finding("order_units", left or right, left, right)]
            found = self._differs("order_units", left.bar, left.symbol, left.units, right.units)
            if found is not None:
                return [found]
        return self._unpoliced("order_units", one, two)

    def _fills(self) -> list[Finding]:
        one, two = list(self._left.fills), list(self._right.fills)
        for left, right in _in_order(one, two):
            if left is None or right is None or left.symbol != right.symbol:
                return [self._finding("fill_bar", left or right, left, right)]
            for aspect, name in (
                ("fill_bar", "bar"),
                ("fill_units", "units"),
                ("fill_price", "price"),
                ("fill_fee", "fee"),
            ):
                values = (getattr(left, name), getattr(right, name))
                found = self._differs(aspect, left.bar, left.symbol, *values)
                if found is not None and aspect == "fill_fee" and aspect in self._policy:
                    return [replace(found, cause=_fee_cause(left, right))]
                if found is not None:
                    return [found]
        return [f for a in ASPECTS[1:5] for f in self._unpoliced(a, one, two)]

    def _nav(self) -> list[Finding]:
        one, two = self._left.nav, self._right.nav
        if len(one) != len(two):
            bar = min(len(one), len(two))
            return [Finding(self._name, "nav", bar, "", f"{len(one)} bars", f"{len(two)} bars",
                            "one side has fewer bars")]  # fmt: skip
        for bar in range(len(one)):
            found = self._differs("nav", bar, "", float(one[bar]), float(two[bar]))
            if found is not None:
                return [found]
        return []

    def _unpoliced(self, aspect: str, one: Sequence[Any], two: Sequence[Any]) -> list[Finding]:
        """Return a finding for an aspect that was asked for and has no tolerance."""
        if aspect in self._policy:
            return []
        return [_no_policy(self._name, aspect, len(one), len(two))]

    def _differs(self, aspect: str, bar: int, symbol: str, left: Any, right: Any) -> Finding | None:
        self._counts[aspect] += 1
        policy = self._policy.get(aspect)
        if policy is None:
            return _no_policy(self._name, aspect, left, right)
        exact = isinstance(left, Decimal) and left == right
        if exact or bool(policy.matches(np.array(float(left)), np.array(float(right)))):
            return None
        cause = self._cause(aspect, bar, left, right)
        return Finding(self._name, aspect, bar, symbol, _shown(left), _shown(right), cause)

    def _finding(self, aspect: str, here: Any, left: Any, right: Any) -> Finding:
        self._counts[aspect] += 1
        shown = [_ABSENT if one is None else _told(one) for one in (left, right)]
        cause = self._cause(aspect, here.bar, left, right)
        return Finding(self._name, aspect, here.bar, here.symbol, shown[0], shown[1], cause)

    def _cause(self, aspect: str, bar: int, left: Any, right: Any) -> str:
        for refusal in self._record.refusals.get(self._name, ()):
            if refusal.bar in (bar, bar - 1):
                return f"an order of bar {refusal.bar} was refused: {refusal.reason}"
        if aspect == "order_units":
            if left is None or right is None:
                return "one side decides here and the other does not: a strategy's past differs"
            return "both decide alike and size apart: NAV or price of the decision differ"
        if aspect == "fill_bar":
            return "an order was filled in another bar, or not at all: latency, hours or depth"
        if aspect == "fill_price":
            rate = (float(right) / float(left) - 1.0) * 1e4
            return f"prices are {rate:+.4g} bp apart: slippage or the price of the fill differ"
        if aspect == "nav":
            return "the same fills are valued apart: marks, interest, or a booking"
        return "the quantity of the fill differs: a partial fill"


def _paired(one: list[DeskOrder], two: list[DeskOrder]) -> list[tuple[Any, Any]]:
    """Pair orders by bar, symbol and their number there, in order of time."""
    lefts, rights = _numbered(one), _numbered(two)
    return [(lefts.get(key), rights.get(key)) for key in sorted({*lefts, *rights})]


def _numbered(orders: list[DeskOrder]) -> dict[tuple[int, str, int], DeskOrder]:
    seen: Counter[tuple[int, str]] = Counter()
    found = {}
    for order in orders:
        place = (order.bar, order.symbol)
        found[(*place, seen[place])] = order
        seen[place] += 1
    return found


def _in_order(one: list[DeskFill], two: list[DeskFill]) -> list[tuple[Any, Any]]:
    """Pair the fills of each symbol in their order, so that a late one is told as late."""
    pairs = []
    for symbol in sorted({fill.symbol for fill in (*one, *two)}):
        lefts = [fill for fill in one if fill.symbol == symbol]
        rights = [fill for fill in two if fill.symbol == symbol]
        for place in range(max(len(lefts), len(rights))):
            left = lefts[place] if place < len(lefts) else None
            right = rights[place] if place < len(rights) else None
            pairs.append((left, right))
    return sorted(pairs, key=lambda pair: min(f.bar for f in pair if f is not None))


def _no_policy(account: str, aspect: str, left: Any, right: Any) -> Finding:
    return Finding(
        account, aspect, 0, "", str(left), str(right), f"the policy has no tolerance for {aspect}"
    )


def _fee_cause(left: DeskFill, right: DeskFill) -> str:
    one, two = (float(1e4 * float(f.fee) / float(abs(f.units) * f.price)) for f in (left, right))
    return f"one side takes {one:.4g} bp and the other {two:.4g} bp"


def _told(item: DeskOrder | DeskFill) -> str:
    units = f"{item.units.normalize():f}"
    if isinstance(item, DeskFill):
        return f"{units} at {item.price.normalize():f} in bar {item.bar}"
    return units


def _shown(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else repr(value)
