"""Parameter sets from grids, and sizes in bytes from text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mts1b_GPUbacktester.errors import BadRule, BadSetting
from mts1b_GPUbacktester.rules import Rule, Value

__all__ = ["Grid", "Params", "parameter_sets", "parse_bytes", "sets_of"]

Params = dict[str, Any]
Grid = Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def parameter_sets(
    rule: Rule,
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    *,
    size: Value | None = None,
) -> list[Params]:
    """Return the parameter sets of a grid, in its order.

    :raises BadRule: when none is left, or a set has not exactly the parameters of rule and size.
    """
    sets = sets_of(grid, where)
    needed = rule.parameters()
    if size is not None:
        needed |= size.parameters()
    for params in sets:
        if set(params) != needed:
            raise BadRule(
                f"the rule needs {', '.join(sorted(needed)) or 'no parameter'}; "
                f"the grid gives {', '.join(params) or 'none'}"
            )
    return sets


def sets_of(grid: Grid, where: Callable[[Params], bool] | None = None) -> list[Params]:
    """Return the parameter sets of a grid, in its order.

    :raises BadRule: when none is left.
    """
    if isinstance(grid, Mapping):
        names = list(grid)
        sets = [dict(zip(names, row, strict=True)) for row in itertools.product(*grid.values())]
    else:
        sets = [dict(item) for item in grid]
    if where is not None:
        sets = [params for params in sets if where(params)]
    if not sets:
        raise BadRule("the grid has no parameter set; widen it or loosen where=")
    return sets


def parse_bytes(text: str | int) -> int:
    """Return a number of bytes from e.g. "1GiB", "512 MiB" or 1048576.

    :raises BadSetting: for text of another form.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:ib|b)?\s*", str(text).lower())
    if not found or float(found[1]) == 0:
        raise BadSetting(f"memory_budget {text!r} is refused; write e.g. '512MiB' or '2GiB'")
    return int(float(found[1]) * _UNITS[found[2]])
