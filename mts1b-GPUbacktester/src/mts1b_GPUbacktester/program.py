"""A rule as a short list of operations on words of 64 bars, the same for all parameter sets.

Only the operands differ from set to set: each comparison reads two series, and each distinct
series (an average with its window, say) is computed once for all sets that use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester import expressions as e
from mts1b_GPUbacktester.errors import BadRule
from mts1b_GPUbacktester.rules import Events, Rule, Side, sides_of
from mts1b_GPUbacktester.semantics import Settings

__all__ = [
    "Compiled",
    "Op",
    "Program",
    "check_sets",
    "compile_rule",
    "early_exits",
    "is_plain",
    "operands",
    "whole_bars",
]

MAX_DEPTH = 16
MOST_BARS = 2**31 - 1
"""The longest window; engines count bars in 64 bits and add windows to them."""


class Op(IntEnum):
    """What one step does; the first three push, the others take from the stack and push."""

    ABOVE = 0
    NOT_BELOW = 1
    CROSS = 2
    AND = 3
    OR = 4
    NOT = 5
    LATCH = 6


@dataclass(slots=True)
class Program:
    """Steps (n, 3): operation, left leaf, right leaf; leaves are values with parameters."""

    steps: list[tuple[int, int, int]] = field(default_factory=list)
    leaves: list[e.Value] = field(default_factory=list)

    def table(self) -> NDArray[np.int64]:
        """Return the steps as an array."""
        return np.array(self.steps, dtype=np.int64)

    def leaf(self, value: e.Value) -> int:
        """Return the position of a leaf, adding it when it is new."""
        if value not in self.leaves:
            self.leaves.append(value)
        return self.leaves.index(value)

    def add(self, operation: Op, left: int = 0, right: int = 0) -> None:
        """Append one step."""
        self.steps.append((int(operation), left, right))


def compile_rule(rule: Rule, settings: Settings) -> Program:
    """Return the program of a rule.

    A plain one (:func:`is_plain`) leaves one word, where the rule wants to be long; another leaves
    four: long, short, and where an event enters each of them. Its last leaf is the size.

    :raises BadRule: for a rule of more parts than the stack holds.
    """
    program = Program()
    long, short = sides_of(rule, settings.direction)
    if is_plain(rule, settings):
        assert long is not None
        depth = _emit_side(program, long)
    else:
        depth = max(
            base + (_emit(program, _NEVER) if side is None else emit(program, side))
            for base, side, emit in (
                (0, long, _emit_side),
                (1, short, _emit_side),
                (2, long, _emit_entry),
                (3, short, _emit_entry),
            )
        )
        program.leaves.append(settings.fraction)
    if depth > MAX_DEPTH:
        raise BadRule(
            f"the rule nests {depth} conditions, {MAX_DEPTH} are possible; "
            "regroup it, or use engine='numpy'"
        )
    return program


def is_plain(rule: Rule, settings: Settings) -> bool:
    """Return whether a rule is long or flat with all of its cash, and ends by its own wish."""
    simple = settings.direction == "long" and settings.size == "all_cash"
    return simple and not rule.has_exits


_NEVER = e.Comparison(">", e.Number(0.0), e.Number(0.0))


def _emit_side(program: Program, side: Side) -> int:
    """Append the steps that leave where the side wants to be in the market."""
    if not isinstance(side, Events):
        return _emit(program, side.condition)
    depth = max(_emit(program, side.entry), 1 + _emit(program, side.exit))
    program.add(Op.LATCH)
    return depth


def _emit_entry(program: Program, side: Side) -> int:
    """Append the steps that leave the bars at which an event enters the side."""
    if not isinstance(side, Events):
        return _emit(program, _NEVER)
    return _emit(program, e.Both(side.entry, e.Negation(side.exit)))


def _emit(program: Program, node: e.Condition) -> int:
    """Append the steps of a condition; return how deep the stack gets."""
    match node:
        case e.Comparison(comparator, left, right):
            a, b = program.leaf(left), program.leaf(right)
            if comparator in ("<", "<="):
                a, b = b, a
            program.add(Op.ABOVE if comparator in (">", "<") else Op.NOT_BELOW, a, b)
            return 1
        case e.Cross(left, right):
            program.add(Op.CROSS, program.leaf(left), program.leaf(right))
            return 1
        case e.Both(first, second) | e.Either(first, second):
            depth = max(_emit(program, first), 1 + _emit(program, second))
            program.add(Op.AND if isinstance(node, e.Both) else Op.OR)
            return depth
        case e.Negation(condition):
            depth = _emit(program, condition)
            program.add(Op.NOT)
            return depth
        case e.Known(condition):
            return _emit_known(program, operands(condition))
    raise BadRule(f"{node!r} is not a condition")


def _emit_known(program: Program, values: Sequence[e.Value]) -> int:
    """Append the steps that are true where no value is NaN: only NaN is not equal to itself."""
    for count, value in enumerate(values):
        leaf = program.leaf(value)
        program.add(Op.NOT_BELOW, leaf, leaf)
        if count:
            program.add(Op.AND)
    return min(2, len(values))


def operands(node: e.Condition) -> list[e.Value]:
    """Return the values that a condition compares, each once."""
    match node:
        case e.Comparison(_, left, right) | e.Cross(left, right):
            found = [left, right]
        case e.Both(first, second) | e.Either(first, second):
            found = operands(first) + operands(second)
        case e.Negation(condition) | e.Known(condition):
            found = operands(condition)
        case _:
            raise BadRule(f"{node!r} is not a condition")
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule with its parameter sets, ready for the kernels.

    ``steps`` (n, 3); ``series`` the distinct values that are compared; ``slots`` (P, K) which of
    them each leaf of each set reads; ``exits`` (P, 3) stop, trailing stop and bars of each set;
    ``order`` (P,) an order in which neighbours read the same few series.
    """

    steps: NDArray[np.int64]
    series: list[e.Value]
    slots: NDArray[np.int64]
    exits: NDArray[np.float64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, rule: Rule, settings: Settings, sets: list[dict[str, Any]]) -> Compiled:
        """Compile a rule and resolve what each set reads.

        :raises BadRule: for a rule that nests too deep, or a set that makes no sense.
        """
        program = compile_rule(rule, settings)
        series: list[e.Value] = []
        slots = np.empty((len(sets), len(program.leaves)), dtype=np.int64)
        known: dict[e.Value, int] = {}
        for column, leaf in enumerate(program.leaves):
            slots[:, column] = _resolved(leaf, sets, known, series)
        exits = np.zeros((len(sets), 3))
        if rule.has_exits:
            exits[:] = [early_exits(rule.bind(params)) for params in sets]
        return cls(program.table(), series, slots, exits, _order(slots))

    @property
    def width(self) -> int:
        """Return how many series are needed at once."""
        return len(self.series)

    def part(self, rows: slice) -> Compiled:
        """Return some of the sets, with no more series than they need."""
        used, slots = np.unique(self.slots[rows], return_inverse=True)
        slots = slots.reshape(self.slots[rows].shape).astype(np.int64)
        series = [self.series[place] for place in used]
        return Compiled(self.steps, series, slots, self.exits[rows], _order(slots))


def _resolved(
    leaf: e.Value, sets: list[dict[str, Any]], known: dict[e.Value, int], series: list[e.Value]
) -> list[int]:
    """Return the position in ``series`` of a leaf for each set; new values are added."""
    names = sorted(leaf.parameters())
    seen: dict[tuple[Any, ...], int] = {}
    found = []
    for params in sets:
        key = tuple(params[name] for name in names)
        place = seen.get(key)
        if place is None:
            value = leaf.bind(params)
            place = seen[key] = known.setdefault(value, len(series))
            if place == len(series):
                series.append(value)
        found.append(place)
    return found


def _order(slots: NDArray[np.int64], tile: int = 16) -> NDArray[np.int64]:
    """Sort sets into tiles of few series, so that a tile's series stay near the core."""
    varying = [column for column in slots.T if (column != column[0]).any()]
    if not varying:
        return np.arange(len(slots))
    return np.lexsort([*reversed(varying), *(column // tile for column in reversed(varying))])


def check_sets(rule: Rule, size: e.Value | None, sets: list[dict[str, Any]]) -> None:
    """Look at every window and early exit that the sets give, before anything runs.

    :raises BadRule: for one that makes no sense.
    """
    roots: list[e.Node] = [rule] if size is None else [rule, size]
    windows = {
        part.window for root in roots for part in root.parts() if isinstance(part, e.Windowed)
    }
    for window in windows:
        for params in _distinct(window, sets):
            whole_bars(window.bind(params))
    exits = replace(rule, long=None, short=None)
    if exits.has_exits:
        for params in _distinct(exits, sets):
            early_exits(exits.bind(params))


def _distinct(node: e.Node, sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a set for each combination of the parameters that a part reads."""
    names = sorted(node.parameters())
    return list({tuple(params[name] for name in names): params for params in sets}.values())


def early_exits(bound: Rule) -> tuple[float, float, int]:
    """Return stop, trail and most bars of a bound rule, 0 where there is none.

    :raises BadRule: for a distance outside (0, 1) or no whole number of bars.
    """
    distances = []
    for name, node in (("stop", bound.stop_distance), ("trailing stop", bound.trail_distance)):
        if node is not None and not (isinstance(node, e.Number) and 0.0 < node.value < 1.0):
            raise BadRule(f"a {name} must be a fraction of the price in (0, 1), not {node!r}")
        distances.append(node.value if isinstance(node, e.Number) else 0.0)
    bars = 0 if bound.most_bars is None else whole_bars(bound.most_bars)
    return distances[0], distances[1], bars


def whole_bars(node: e.Value) -> int:
    """Return a window as a number of bars.

    :raises BadRule: unless it is a whole number, 1 or more.
    """
    if isinstance(node, e.Number) and 1 <= node.value <= MOST_BARS and node.value % 1 == 0:
        return int(node.value)
    raise BadRule(
        f"a window must be a whole number of bars, 1 or more, not {node!r}"
        if not isinstance(node, e.Number) or not node.value > MOST_BARS
        else f"a window of {node.value:g} bars is longer than any panel; {MOST_BARS} are possible"
    )
