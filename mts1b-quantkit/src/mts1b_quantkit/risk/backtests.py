"""Did the value at risk hold? Tests on the rows in which it was exceeded.

``breaches`` holds 0 or 1 (or False, True) for each row, in the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import LARGEST, FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_rows
from mts1b_quantkit.metrics.columns import require_confidence
from mts1b_quantkit.scalars import is_single, read_count, read_number
from mts1b_quantkit.special import bdtr, chdtrc, xlogy

__all__ = [
    "CoverageTest",
    "TrafficLight",
    "acerbi_szekely_z2",
    "basel_traffic_light",
    "christoffersen",
    "conditional_coverage",
    "kupiec",
]


@dataclass(frozen=True, slots=True)
class CoverageTest:
    """A likelihood ratio and the probability of one as large when the model holds."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """The Basel zone, its multiplier, and P(breaches <= observed) when the model holds."""

    zone: Literal["green", "yellow", "red"]
    multiplier: float
    cumulative_probability: float


def kupiec(breaches: Any, *, confidence: float = 0.95) -> CoverageTest:
    """Test whether breaches come as often as they should (Kupiec 1995, proportion of failures).

    Twice the log likelihood of the observed rate over that of 1 - ``confidence``; chi-squared with
    one degree of freedom.

    >>> import numpy as np
    >>> from mts1b_quantkit.risk import kupiec
    >>> breaches = np.arange(250) % 20 == 0
    >>> round(kupiec(breaches).p_value, 6)
    0.885347
    """
    hits = _read(breaches)
    return _result(_coverage(hits, 1.0 - require_confidence(confidence)), 1)


def christoffersen(breaches: Any) -> CoverageTest:
    """Test whether a breach makes another one on the next row likelier (Christoffersen 1998).

    The likelihood of a two-state Markov chain over that of independent breaches; chi-squared with
    one degree of freedom.

    :raises BadInput: for fewer than two rows.

    >>> import numpy as np
    >>> from mts1b_quantkit.risk import christoffersen
    >>> breaches = np.arange(250) % 20 == 0
    >>> round(christoffersen(breaches).p_value, 6)
    0.250618
    """
    return _result(_independence(_read(breaches)), 1)


def conditional_coverage(breaches: Any, *, confidence: float = 0.95) -> CoverageTest:
    """Test rate and independence together (Christoffersen 1998): the sum of both statistics.

    Chi-squared with two degrees of freedom.

    >>> import numpy as np
    >>> from mts1b_quantkit.risk import conditional_coverage
    >>> breaches = np.arange(250) % 20 == 0
    >>> round(conditional_coverage(breaches).p_value, 6)
    0.511543
    """
    hits = _read(breaches)
    rate = 1.0 - require_confidence(confidence)
    return _result(_coverage(hits, rate) + _independence(hits), 2)


def acerbi_szekely_z2(
    returns: Any, expected_shortfall: Any, breaches: Any, *, confidence: float = 0.95
) -> float:
    """Return the second test statistic of Acerbi and Szekely 2014 for expected shortfall.

    sum(r_t I_t / (T (1 - confidence) ES_t)) + 1, ES being positive losses: zero when the model
    holds, negative when it understates the risk; -0.7 rejects at about 5 % for any tail.

    :param returns: (T,).
    :param expected_shortfall: positive; a number, or one value per row.
    :param breaches: (T,) of 0 and 1, 1 where the loss was above the value at risk.
    :raises BadInput: for shapes that do not fit, and for an expected shortfall that is no loss.

    >>> from mts1b_quantkit.risk import acerbi_szekely_z2
    >>> round(acerbi_szekely_z2([0.01, -0.03, 0.02], 0.02, [0, 1, 0], confidence=0.5), 6)
    0.0
    """
    tail = 1.0 - require_confidence(confidence)
    table = as_table(returns)
    values = table.values
    hits = _read(breaches, beside=table)
    if is_single(expected_shortfall):
        losses = np.asarray(read_number("expected_shortfall", expected_shortfall))
    else:
        given = as_table(expected_shortfall, what="expected_shortfall")
        require_same_rows(table, given, "expected_shortfall")
        losses = given.values
    if values.ndim != 1 or hits.shape != values.shape:
        raise BadInput(f"returns and breaches have shapes {values.shape} and {hits.shape}")
    if losses.shape not in ((), values.shape) or not (losses >= 1.0 / LARGEST).all():
        raise BadInput("expected_shortfall is a positive loss, one number or one for each row")
    return float((values * hits / losses).sum() / (len(values) * tail) + 1.0)


def basel_traffic_light(
    n_breaches: int, *, n_observations: int = 250, confidence: float = 0.99
) -> TrafficLight:
    """Return the zone of a number of breaches (Basel Committee 1996).

    Yellow from a cumulative probability of 95 %, red from 99.99 %. In the yellow zone of the
    standard case the multiplier rises from 3 as the committee prints it (4 in the red zone); for
    other lengths it is read off at the same cumulative probabilities.

    :raises BadInput: for more breaches than observations.

    >>> from mts1b_quantkit.risk import basel_traffic_light
    >>> basel_traffic_light(6).zone
    'yellow'
    """
    count = read_count("n_breaches", n_breaches, least=0)
    rows = read_count("n_observations", n_observations)
    if count > rows:
        raise BadInput(f"n_breaches is {count}, n_observations {rows}; no row breaches twice")
    probability = float(bdtr(count, rows, 1.0 - require_confidence(confidence)))
    if probability < 0.95:
        return TrafficLight("green", 3.0, probability)
    if probability >= 0.9999:
        return TrafficLight("red", 4.0, probability)
    return TrafficLight("yellow", 3.0 + _plus(probability), probability)


_PLUS = (0.40, 0.50, 0.65, 0.75, 0.85)
"""The committee's plus factors of 5 to 9 breaches in 250 rows at 99 %."""


def _plus(probability: float) -> float:
    printed = bdtr(np.arange(5, 10), 250, 0.01)
    at = int(np.searchsorted(printed, probability * (1.0 - 1e-12)))
    return _PLUS[min(at, len(_PLUS) - 1)]


def _read(breaches: Any, *, beside: Table | None = None) -> FloatArray:
    table = as_table(breaches, what="breaches")
    if beside is not None:
        require_same_rows(beside, table, "breaches")
    hits = table.values
    if hits.ndim != 1 or not np.isin(hits, (0.0, 1.0)).all():
        raise BadInput("breaches is one series of 0 and 1")
    return hits


def _coverage(hits: FloatArray, rate: float) -> float:
    count, rows = float(hits.sum()), len(hits)
    seen = count / rows
    model = xlogy(count, rate) + xlogy(rows - count, 1.0 - rate)
    data = xlogy(count, seen) + xlogy(rows - count, 1.0 - seen)
    return float(2.0 * (data - model))


def _independence(hits: FloatArray) -> float:
    if len(hits) < 2:
        raise BadInput("breaches has one row; independence needs two")
    before, after = hits[:-1], hits[1:]
    pairs = [[float(((before == i) & (after == j)).sum()) for j in (0.0, 1.0)] for i in (0.0, 1.0)]
    (n00, n01), (n10, n11) = pairs
    together = (n01 + n11) / (n00 + n01 + n10 + n11)
    model = xlogy(n00 + n10, 1.0 - together) + xlogy(n01 + n11, together)
    data = 0.0
    for stays, breaks in pairs:
        total = stays + breaks
        if total:
            data += float(xlogy(stays, stays / total) + xlogy(breaks, breaks / total))
    return float(2.0 * (data - model))


def _result(statistic: float, freedom: int) -> CoverageTest:
    size = max(statistic, 0.0)
    return CoverageTest(size, float(chdtrc(freedom, size)))
