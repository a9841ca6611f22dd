"""One book out of several sleeves, each a set of weights with a share of the capital."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mts1b_quantkit.allocators import hrp_weights
from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput

from mts1b_portfolio.errors import BadTarget
from mts1b_portfolio.inputs import read_mapping, read_number

__all__ = ["Composition", "compose"]


@dataclass(frozen=True, slots=True)
class Composition:
    """The book's ``weights`` by symbol, the ``allocations`` of capital that made them, and what
    each sleeve contributes to each symbol (``contributions[sleeve][symbol]``)."""

    weights: Mapping[str, float]
    allocations: Mapping[str, float]
    contributions: Mapping[str, Mapping[str, float]]


def compose(
    sleeves: Mapping[str, Mapping[str, Any]],
    *,
    overlay: Literal["hrp", "equal"] | None = None,
    returns: Any = None,
) -> Composition:
    """Add the sleeves up: a symbol in two sleeves has the sum of both contributions.

    :param sleeves: name to ``{"weights": {symbol: weight}, "allocation": share}``. Stated
        allocations count as they are; they sum to one or less, the rest is cash.
    :param overlay: makes the allocations where none are stated: ``"equal"`` gives each sleeve 1/N
        of the capital, ``"hrp"`` hierarchical risk parity over the sleeves' ``returns``.
    :param returns: (T, N) returns of the sleeves, columns in the order of ``sleeves`` or labelled.
    :raises BadTarget: for no sleeves, a weight that is no number, allocations beyond the capital,
        or stated by some sleeves and not by others.

    >>> from mts1b_portfolio import compose
    >>> sleeves = {"carry": {"weights": {"A": 0.5, "B": 0.5}}, "hedge": {"weights": {"A": -1.0}}}
    >>> dict(compose(sleeves, overlay="equal").weights)
    {'A': -0.25, 'B': 0.25}
    """
    if not read_mapping("sleeves", sleeves):
        raise BadTarget("there are no sleeves to compose")
    for name, sleeve in sleeves.items():
        unknown = set(read_mapping(f"sleeve {name!r}", sleeve)) - {"weights", "allocation"}
        if unknown:
            raise BadTarget(
                f"sleeve {name!r} has {sorted(map(str, unknown))[0]!r}; a sleeve has weights and "
                "an allocation"
            )
    shares = _allocations(sleeves, overlay, returns)
    contributions = {
        name: {symbol: shares[name] * weight for symbol, weight in _weights(name, sleeve).items()}
        for name, sleeve in sleeves.items()
    }
    symbols = dict.fromkeys(symbol for parts in contributions.values() for symbol in parts)
    weights = {
        symbol: math.fsum(parts.get(symbol, 0.0) for parts in contributions.values())
        for symbol in symbols
    }
    return Composition(weights, shares, contributions)


def _weights(name: str, sleeve: Mapping[str, Any]) -> Mapping[str, float]:
    if "weights" not in sleeve:
        raise BadTarget(f"sleeve {name!r} has no weights")
    found: dict[str, float] = {}
    for symbol, weight in read_mapping(f"sleeve {name!r}: weights", sleeve["weights"]).items():
        if str(symbol) in found:
            raise BadTarget(f"sleeve {name!r} has two weights of {symbol}; give one")
        found[str(symbol)] = read_number(
            f"sleeve {name!r}: the weight of {symbol}", weight, error=BadTarget
        )
    return found


def _allocations(
    sleeves: Mapping[str, Mapping[str, Any]], overlay: str | None, returns: Any
) -> dict[str, float]:
    if not isinstance(overlay, str | None) or overlay not in (None, "hrp", "equal"):
        raise BadTarget(f"overlay is {overlay!r}; use 'hrp', 'equal' or None")
    stated = {
        name: sleeve["allocation"] for name, sleeve in sleeves.items() if "allocation" in sleeve
    }
    if stated or overlay is None:
        return _stated(sleeves, stated)
    if overlay == "equal":
        return dict.fromkeys(sleeves, 1.0 / len(sleeves))
    return _by_risk(list(sleeves), returns)


def _stated(
    sleeves: Mapping[str, Mapping[str, Any]], stated: Mapping[str, Any]
) -> dict[str, float]:
    missing = [name for name in sleeves if name not in stated]
    if missing:
        raise BadTarget(f"sleeve {missing[0]!r} has no allocation; give all, or an overlay alone")
    shares = {
        name: read_number(
            f"the allocation of {name!r}",
            share,
            least=0.0,
            wanted="a share of the capital",
            error=BadTarget,
        )
        for name, share in stated.items()
    }
    total = math.fsum(shares.values())
    if total > 1.0 + 1e-9:
        raise BadTarget(f"the allocations sum to {total:.6g}, more than the capital")
    return shares


def _by_risk(names: list[str], returns: Any) -> dict[str, float]:
    if returns is None:
        raise BadTarget("overlay 'hrp' needs the sleeves' returns=")
    table = as_table(returns)
    if table.is_vector or table.values.shape[1] != len(names):
        raise BadInput(f"returns has shape {table.values.shape}; give one column for each sleeve")
    columns = list(range(len(names)))
    if table.columns is not None:
        if sorted(map(str, table.labels)) != sorted(map(str, names)):
            raise BadInput(f"returns is labelled {table.labels}, the sleeves are {names}")
        columns = [list(map(str, table.labels)).index(str(name)) for name in names]
    shares = hrp_weights(np.ascontiguousarray(table.values[:, columns])).weights
    return dict(zip(names, shares.tolist(), strict=True))
