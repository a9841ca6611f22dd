"""Value at risk and expected shortfall per period, as positive losses."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import reduce_columns, require_confidence
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.metrics.spread import excess_kurtosis, skew
from mts1b_quantkit.metrics.tail import cornish_fisher, fractional_tail, normal_density
from mts1b_quantkit.scalars import read_choice, read_number
from mts1b_quantkit.special import ndtri, stdtrit

__all__ = [
    "expected_shortfall",
    "expected_shortfall_from_moments",
    "value_at_risk",
    "value_at_risk_from_moments",
]

Method: TypeAlias = Literal["historical", "gaussian", "student_t", "cornish_fisher"]
MomentMethod: TypeAlias = Literal["gaussian", "student_t", "cornish_fisher"]

_MOMENT_METHODS = ("gaussian", "student_t", "cornish_fisher")
_METHODS = ("historical", *_MOMENT_METHODS)


def value_at_risk(
    returns: Any,
    *,
    confidence: float = 0.95,
    method: Method = "historical",
    df: float | None = None,
) -> Any:
    """Return the loss that is exceeded with probability 1 - ``confidence``, per period.

    ``historical``: the linearly interpolated quantile. The other methods take mean, standard
    deviation (ddof=1) and population skewness and kurtosis from the returns; see
    :func:`value_at_risk_from_moments`.

    :param returns: (T,) or (T, K) simple returns.
    :param df: degrees of freedom above 2, for ``student_t`` alone.
    :raises BadInput: for an unknown method, a confidence outside (0, 1), or a missing ``df``.

    >>> from mts1b_quantkit.risk import value_at_risk
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(value_at_risk(returns), 6)
    0.018
    """
    tail = 1.0 - require_confidence(confidence)
    read_choice("method", method, _METHODS)
    if method == "historical":
        _refuse_df(df, method)
        return reduce_columns(returns, lambda sample: -sample.quantile(tail))
    quantile = _check(method, df)
    return reduce_columns(
        returns, lambda sample: _loss(sample, lambda s, k: _QUANTILES[quantile](tail, df, s, k))
    )


def expected_shortfall(
    returns: Any,
    *,
    confidence: float = 0.95,
    method: Method = "historical",
    df: float | None = None,
) -> Any:
    """Return the mean loss in the worst 1 - ``confidence`` of the cases, per period.

    ``historical``: exactly (1 - confidence) T observations, the last one in part (Rockafellar and
    Uryasev 2002). Other methods and errors as in :func:`value_at_risk`.

    >>> from mts1b_quantkit.risk import expected_shortfall
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(expected_shortfall(returns), 6)
    0.02
    """
    tail = 1.0 - require_confidence(confidence)
    read_choice("method", method, _METHODS)
    if method == "historical":
        _refuse_df(df, method)
        return reduce_columns(returns, lambda sample: -fractional_tail(sample, tail))
    shortfall = _check(method, df)
    return reduce_columns(
        returns, lambda sample: _loss(sample, lambda s, k: _SHORTFALLS[shortfall](tail, df, s, k))
    )


def value_at_risk_from_moments(
    mean: float,
    standard_deviation: float,
    *,
    confidence: float = 0.95,
    method: MomentMethod = "gaussian",
    df: float | None = None,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> float:
    """Return the value at risk of a distribution given by its moments.

    ``student_t`` is scaled to the same standard deviation; ``cornish_fisher`` corrects the normal
    quantile (Favre and Galeano 2002).

    :raises BadInput: for an unknown method, a negative deviation, or a missing ``df``.

    >>> from mts1b_quantkit.risk import value_at_risk_from_moments
    >>> round(value_at_risk_from_moments(0.001, 0.02), 6)
    0.031897
    """
    tail = 1.0 - require_confidence(confidence)
    centre, spread = _location(mean, standard_deviation)
    z = _QUANTILES[_check(method, df)](tail, df, *_shape(skewness, excess_kurtosis))
    return float(-centre - spread * z)


def expected_shortfall_from_moments(
    mean: float,
    standard_deviation: float,
    *,
    confidence: float = 0.95,
    method: MomentMethod = "gaussian",
    df: float | None = None,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> float:
    """Return the expected shortfall of a distribution given by its moments.

    ``cornish_fisher`` is the average of the Cornish-Fisher value at risk over the tail (Maillard
    2012). Errors as in :func:`value_at_risk_from_moments`.

    >>> from mts1b_quantkit.risk import expected_shortfall_from_moments
    >>> round(expected_shortfall_from_moments(0.001, 0.02), 6)
    0.040254
    """
    tail = 1.0 - require_confidence(confidence)
    centre, spread = _location(mean, standard_deviation)
    z = _SHORTFALLS[_check(method, df)](tail, df, *_shape(skewness, excess_kurtosis))
    return float(-centre - spread * z)


def _check(method: str, df: float | None) -> str:
    read_choice("method", method, _MOMENT_METHODS)
    if method == "student_t":
        _freedom(df)
    else:
        _refuse_df(df, method)
    return method


def _freedom(df: float | None) -> float:
    return read_number(
        "df",
        df,
        above=2.0,
        most=1e9,
        wanted="more than 2 degrees of freedom for student_t, at most 1e9",
    )


def _refuse_df(df: float | None, method: str) -> None:
    if df is not None:
        raise BadInput(f"df is for method='student_t'; the method is {method!r}")


def _location(mean: float, standard_deviation: float) -> tuple[float, float]:
    spread = read_number(
        "standard_deviation", standard_deviation, least=0.0, wanted="a finite one, >= 0"
    )
    return read_number("mean", mean), spread


def _shape(skewness: float, excess_kurtosis: float) -> tuple[float, float]:
    return read_number("skewness", skewness), read_number("excess_kurtosis", excess_kurtosis)


def _loss(sample: Sample, standardised: Any) -> FloatArray:
    z = standardised(skew(sample), excess_kurtosis(sample))
    return np.asarray(-sample.mean - sample.deviation * z)


def _gaussian(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    return float(ndtri(tail))


def _student_t(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    freedom = _freedom(df)
    return float(stdtrit(freedom, tail)) * math.sqrt((freedom - 2.0) / freedom)


def _cornish_fisher(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    return cornish_fisher(float(ndtri(tail)), skewness, kurtosis)


def _gaussian_shortfall(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    return -normal_density(float(ndtri(tail))) / tail


def _student_t_shortfall(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    nu = _freedom(df)
    t = float(stdtrit(nu, tail))
    constant = math.exp(math.lgamma((nu + 1.0) / 2.0) - math.lgamma(nu / 2.0))
    density = constant / math.sqrt(nu * math.pi) * (1.0 + t * t / nu) ** (-(nu + 1.0) / 2.0)
    return -density / tail * (nu + t * t) / (nu - 1.0) * math.sqrt((nu - 2.0) / nu)


def _cornish_fisher_shortfall(tail: float, df: float | None, skewness: Any, kurtosis: Any) -> Any:
    z = float(ndtri(tail))
    shape = (
        1.0
        + z * skewness / 6.0
        + (z**2 - 1.0) * kurtosis / 24.0
        - (2.0 * z**2 - 1.0) * skewness**2 / 36.0
    )
    return -normal_density(z) / tail * shape


_QUANTILES = {
    "gaussian": _gaussian,
    "student_t": _student_t,
    "cornish_fisher": _cornish_fisher,
}
_SHORTFALLS = {
    "gaussian": _gaussian_shortfall,
    "student_t": _student_t_shortfall,
    "cornish_fisher": _cornish_fisher_shortfall,
}
