"""Parameter sets from grids, and sizes in bytes from text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mts1b_GPUbacktester.engines.port import METRICS
from mts1b_GPUbacktester.errors import BadRule, BadSetting
from mts1b_GPUbacktester.expressions import as_value
from mts1b_GPUbacktester.program import check_sets
from mts1b_GPUbacktester.rules import Rule, Value, require_rule

__all__ = ["Grid", "Params", "parameter_sets", "parse_bytes", "sets_of"]

Params = dict[str, Any]
Grid = Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]

_OF_A_FOLD = {f"{part}_{what}" for part in ("train", "test") for what in ("start", "end", *METRICS)}
_COLUMNS = frozenset({"symbol", "path", *METRICS} | _OF_A_FOLD)
"""What stands beside the parameters in a table."""

_SET_BYTES = 200
"""What a parameter set takes in memory, about."""

_BUDGET = 2**30
"""Bytes that the sets may take where nobody says."""

_FEW_SETS = 1_000
"""Sets whose own memory no budget asks about."""

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def parameter_sets(
    rule: Rule,
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    *,
    size: Value | None = None,
    budget: int | None = None,
) -> list[Params]:
    """Return the parameter sets of a grid, in its order.

    :param budget: bytes that they may take, 1 GiB where it is None.
    :raises BadRule: for no whole rule, when no set is left, or for one that has not exactly the
        parameters of rule and size, or gives a window or an exit that makes no sense.
    :raises BadSetting: for more sets than the budget holds.
    """
    require_rule(rule)
    sets = sets_of(grid, where, budget=budget)
    needed = rule.parameters()
    if size is not None:
        needed |= size.parameters()
    for params in sets:
        if set(params) != needed:
            raise BadRule(
                f"the rule needs {', '.join(sorted(needed)) or 'no parameter'}; "
                f"given: {', '.join(params) or 'none'}"
            )
        for value in params.values():
            as_value(value)
    check_sets(rule, size, sets)
    for params in sets:
        for name, value in params.items():
            if value != value:
                raise BadRule(f"parameter {name!r} is {value!r}, not a number; nothing compares")
    return sets


def sets_of(
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    *,
    budget: int | None = None,
) -> list[Params]:
    """Return the parameter sets of a grid, in its order; one that comes twice is one.

    :raises BadRule: for no grid, a name that a column of results has, or when no set is left.
    :raises BadSetting: for more sets than the budget holds, or a filter that is no function.
    """
    if where is not None and not callable(where):
        raise BadSetting(f"where {where!r} is no function of a parameter set; give a lambda")
    most = max(_FEW_SETS, (_BUDGET if budget is None else budget) // _SET_BYTES)
    sets: list[Params] = []
    for params in _every(grid, most):
        if where is not None and not where(params):
            continue
        if len(sets) == most:
            raise _too_many(most)
        sets.append(params)
    if not sets:
        raise BadRule("the grid has no parameter set; widen it or loosen where=")
    taken = sorted(_COLUMNS & set(sets[0]))
    if taken:
        raise BadRule(f"a parameter can not be called {taken[0]!r}: a column of results is")
    return sets


def _too_many(most: int) -> BadSetting:
    return BadSetting(
        f"the grid has more than {most:,} parameter sets, which alone take the memory budget; make "
        "it coarser, or give a larger memory_budget"
    )


def _distinct(values: Iterable[Any], key: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield what comes for the first time; what has no hash is for others to refuse."""
    seen = set()
    for value in values:
        with suppress(TypeError):
            mark = key(value)
            if mark in seen:
                continue
            seen.add(mark)
        yield value


def _every(grid: Any, most: int) -> Iterator[Params]:
    """Yield the distinct parameter sets of a grid one by one.

    :raises BadSetting: for more than ``most`` values of a parameter.
    """
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
                raise BadRule(f"grid[{name!r}] is {values!r}; give a list of values, e.g. [5, 10]")
        axes = []
        for values in grid.values():
            taken = list(itertools.islice(values, most + 1))
            if len(taken) > most:
                raise _too_many(most)
            axes.append(list(_distinct(taken, lambda value: value)))
        for row in itertools.product(*axes):
            yield dict(zip(grid, row, strict=True))
        return
    yield from _distinct(_listed(grid), lambda params: frozenset(params.items()))


def _listed(grid: Any) -> Iterator[Params]:
    """Yield the parameter sets of a list of them.

    :raises BadRule: for anything else.
    """
    for item in grid if isinstance(grid, Iterable) else [grid]:
        if not isinstance(item, Mapping):
            raise BadRule(
                f"{item!r} is no parameter set; a grid is parameter -> values, or a list of "
                "{parameter: value}"
            )
        yield dict(item)


def parse_bytes(text: str | int) -> int:
    """Return a number of bytes from e.g. "1GiB", "512 MiB" or 1048576.

    :raises BadSetting: for text of another form.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:ib|b)?\s*", str(text).lower())
    if not found or float(found[1]) == 0:
        raise BadSetting(f"memory_budget {text!r} is refused; write e.g. '512MiB' or '2GiB'")
    return int(float(found[1]) * _UNITS[found[2]])
