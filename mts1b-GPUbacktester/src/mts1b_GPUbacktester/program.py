"""A rule as a short list of operations on words of 64 bars, the same for all parameter sets.

Only the operands differ from set to set: each comparison reads two series, and each distinct
series (an average with its window, say) is computed once for all sets that use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.errors import BadRule

__all__ = ["Op", "Program", "Slots", "compile_rule"]

MAX_DEPTH = 16


class Op(IntEnum):
    """What one step does; comparisons push, the others take from the stack and push."""

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
    leaves: list[r.Value] = field(default_factory=list)

    def table(self) -> NDArray[np.int64]:
        """Return the steps as an array."""
        return np.array(self.steps, dtype=np.int64)

    def leaf(self, value: r.Value) -> int:
        """Return the position of a leaf, adding it when it is new."""
        if value not in self.leaves:
            self.leaves.append(value)
        return self.leaves.index(value)

    def add(self, operation: Op, left: int = 0, right: int = 0) -> None:
        """Append one step."""
        self.steps.append((int(operation), left, right))


def compile_rule(rule: r.Rule) -> Program:
    """Return the program whose last word says where the rule wants to be long.

    :raises BadRule: for a rule of more parts than the stack holds.
    """
    program = Program()
    match rule:
        case r.LevelRule(condition):
            depth = _emit(program, condition)
        case r.EventRule(entry, leave):
            depth = max(_emit(program, entry), 1 + _emit(program, leave))
            program.add(Op.LATCH)
        case _:
            raise BadRule(f"{rule!r} is not a rule; build one with r.long_when or r.enter_long")
    if depth > MAX_DEPTH:
        raise BadRule(
            f"the rule nests {depth} conditions, {MAX_DEPTH} are possible; "
            "regroup it, or use engine='numpy'"
        )
    return program


def _emit(program: Program, node: r.Condition) -> int:
    """Append the steps of a condition; return how deep the stack gets."""
    match node:
        case r.Comparison(comparator, left, right):
            a, b = program.leaf(left), program.leaf(right)
            if comparator in ("<", "<="):
                a, b = b, a
            program.add(Op.ABOVE if comparator in (">", "<") else Op.NOT_BELOW, a, b)
            return 1
        case r.Cross(left, right):
            program.add(Op.CROSS, program.leaf(left), program.leaf(right))
            return 1
        case r.Both(first, second) | r.Either(first, second):
            depth = max(_emit(program, first), 1 + _emit(program, second))
            program.add(Op.AND if isinstance(node, r.Both) else Op.OR)
            return depth
        case r.Negation(condition):
            depth = _emit(program, condition)
            program.add(Op.NOT)
            return depth
    raise BadRule(f"{node!r} is not a condition")


class Slots:
    """Which series each leaf of each parameter set reads: ``series`` and ``table`` (P, K)."""

    def __init__(self, program: Program, sets: list[dict[str, Any]]) -> None:
        self.series: list[r.Value] = []
        self.table = np.empty((len(sets), len(program.leaves)), dtype=np.int64)
        known: dict[r.Value, int] = {}
        for column, leaf in enumerate(program.leaves):
            names = sorted(leaf.parameters())
            seen: dict[tuple[Any, ...], int] = {}
            for row, params in enumerate(sets):
                key = tuple(params[name] for name in names)
                if key not in seen:
                    seen[key] = self._position(leaf.bind(params), known)
                self.table[row, column] = seen[key]

    def _position(self, value: r.Value, known: dict[r.Value, int]) -> int:
        if value not in known:
            known[value] = len(self.series)
            self.series.append(value)
        return known[value]

    def order(self, tile: int = 16) -> NDArray[np.int64]:
        """Return an order of the sets in which neighbours read the same few series."""
        keys = [self.table[:, column] for column in range(self.table.shape[1])]
        varying = [key for key in keys if (key != key[0]).any()]
        if not varying:
            return np.arange(len(self.table))
        return np.lexsort([*reversed(varying), *(key // tile for key in reversed(varying))])
