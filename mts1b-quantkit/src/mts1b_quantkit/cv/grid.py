"""Factor scores for every combination of parameters, checked for a view of the future."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import is_single, shown

__all__ = ["combinations_of", "scores_of", "until"]

_SAME = 1e-9

ParamsGrid = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]


def combinations_of(params_grid: ParamsGrid) -> list[dict[str, Any]]:
    """Return every combination of a grid, or the ones that are listed.

    :raises BadInput: for a grid without a combination.
    """
    if isinstance(params_grid, Mapping):
        names = list(params_grid)
        listed = [_values(name, params_grid[name]) for name in names]
        found = [dict(zip(names, values, strict=True)) for values in itertools.product(*listed)]
    else:
        found = [dict(one) for one in _mappings(params_grid)]
    if not found:
        raise BadInput("params_grid holds no combination; give at least one value for each name")
    return found


def _values(name: Any, values: Any) -> list[Any]:
    if not isinstance(name, str) or isinstance(values, str | Mapping) or is_single(values):
        raise BadInput(f"params_grid has {shown(values)} for {name!r}; give a list of values")
    return list(values)


def _mappings(params_grid: Any) -> list[Mapping[str, Any]]:
    whole = isinstance(params_grid, Sequence) and not isinstance(params_grid, str | bytes)
    if not whole or not all(isinstance(one, Mapping) for one in params_grid):
        raise BadInput(
            f"params_grid is {shown(params_grid)}; give name -> values, or a list of mappings"
        )
    return list(params_grid)


def until(panel: UniversePanel, rows: int) -> UniversePanel:
    """Return the panel as it was after its first ``rows`` rows."""
    cut = {
        name: _rows(array, rows)
        for name in ("close", "high", "low", "volume", "open")
        if (array := getattr(panel, name)) is not None
    }
    return replace(panel, dates=panel.dates[:rows], **cut)


def scores_of(
    factor: Callable[..., Any], params: Mapping[str, Any], panel: UniversePanel, *, known: int
) -> FloatArray:
    """Return the scores (T, A); NaN where there is none.

    :param known: rows; the factor is computed again on these alone.
    :raises BadInput: for scores of another shape, or that change when the rows after ``known``
        become known: such a factor looks ahead.
    """
    past = until(panel, known)
    scores = _read(factor(panel, **params), panel, params)
    before = _read(factor(past, **params), past, params)
    same = np.isclose(scores[:known], before, rtol=_SAME, atol=_SAME, equal_nan=True)
    if not same.all():
        row, column = (int(k) for k in np.argwhere(~same)[0])
        raise BadInput(
            f"the factor with {dict(params)} looks ahead: its score of {panel.symbols[column]!r} "
            f"on {panel.dates[row]} changes when later rows become known"
        )
    return scores


def _read(scores: Any, panel: UniversePanel, params: Mapping[str, Any]) -> FloatArray:
    table = as_table(scores, what="scores", allow_nan=True)
    if table.values.shape != panel.shape:
        raise BadInput(
            f"the factor with {dict(params)} gives shape {table.values.shape}; the panel asks for "
            f"{panel.shape}"
        )
    names = [str(name) for name in table.labels]
    symbols = [str(symbol) for symbol in panel.symbols]
    if names not in (symbols, [str(place) for place in range(len(symbols))]):
        raise BadInput(
            f"the factor with {dict(params)} labels its columns {_few(names)}; the symbols are "
            f"{_few(symbols)}: keep their order"
        )
    return table.values


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _rows(array: Any, rows: int) -> Any:
    return array.iloc[:rows] if hasattr(array, "iloc") else array[:rows]
