"""How far a Sharpe ratio can be believed, given its sample and the number of trials.

Ratios are per period throughout, skewness is m3 / m2^1.5 and kurtosis the EXCESS m4 / m2^2 - 3. The
``*_from_moments`` forms take the moments themselves and give floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_numbers
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import (
    Measure,
    quotient,
    reduce_columns,
    require_confidence,
)
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.metrics.spread import excess_kurtosis, skew
from mts1b_quantkit.scalars import read_choice, read_count, read_number, read_positive
from mts1b_quantkit.special import ndtr, ndtri

__all__ = [
    "annualise_sharpe",
    "deflated_sharpe",
    "deflated_sharpe_from_moments",
    "expected_max_sharpe",
    "min_backtest_length",
    "min_track_record_length",
    "min_track_record_length_from_moments",
    "probabilistic_sharpe",
    "probabilistic_sharpe_from_moments",
    "probabilistic_sharpe_of",
    "sharpe_standard_error",
    "sharpe_standard_error_from_moments",
    "sharpe_standard_error_of",
]

ErrorMethod = Literal["iid", "mertens"]


def sharpe_standard_error(returns: Any, *, method: ErrorMethod = "iid") -> Any:
    """Return the standard error of the Sharpe ratio per period.

    ``iid``: sqrt((1 + SR^2 / 2) / T) for independent normal returns (Lo 2002, equation 9).
    ``mertens``: sqrt((1 + SR^2 / 2 - skew SR + excess kurtosis SR^2 / 4) / T), for independent
    returns of any distribution (Mertens 2002).

    :raises BadInput: for another method.

    >>> from mts1b_quantkit.metrics import sharpe_standard_error
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(sharpe_standard_error(returns), 6)
    0.464095
    """
    return reduce_columns(returns, sharpe_standard_error_of(method))


def sharpe_standard_error_of(method: str) -> Measure:
    """Return the measure with its parameter."""
    _require_method(method)

    def error(sample: Sample) -> FloatArray:
        ratio, third, fourth = _moments(sample)
        normal = method == "iid"
        third, fourth = (0.0 * third, 0.0 * fourth) if normal else (third, fourth)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(_error_term(ratio, third, fourth) / sample.rows))

    return error


def sharpe_standard_error_from_moments(
    sharpe: float,
    n_observations: int,
    *,
    method: ErrorMethod = "iid",
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> float:
    """Return the standard error of a Sharpe ratio; see :func:`sharpe_standard_error`.

    >>> from mts1b_quantkit.metrics import sharpe_standard_error_from_moments
    >>> round(sharpe_standard_error_from_moments(1.5, 60), 3)
    0.188
    """
    _require_method(method)
    shape = _shape(skewness, excess_kurtosis)
    third, fourth = (0.0, 0.0) if method == "iid" else shape
    ratio, count = _finite("sharpe", sharpe), _observations(n_observations)
    return math.sqrt(_possible(_error_term(ratio, third, fourth)) / count)


def annualise_sharpe(sharpe: float, q: int, autocorrelations: Sequence[float] = ()) -> float:
    """Return the Sharpe ratio over ``q`` periods of returns with these autocorrelations.

    SR q / sqrt(q + 2 sum_{k<q} (q - k) rho_k) (Lo 2002, equation 20); without autocorrelation SR
    sqrt(q). What is not given is zero.

    :param sharpe: per period.
    :param autocorrelations: rho_1, rho_2, ...; those from lag q on have no effect.
    :raises BadInput: when they allow no variance of the sum.

    >>> from mts1b_quantkit.metrics import annualise_sharpe
    >>> round(annualise_sharpe(0.1, 12, [0.2]), 6)
    0.296319
    """
    q = read_count("q", q, wanted="a whole number of periods, 1 or more")
    ratio = _finite("sharpe", sharpe)
    rho = as_numbers(autocorrelations, what="autocorrelations")
    rho = rho[: q - 1] if rho.ndim == 1 else rho
    if rho.ndim != 1 or (np.abs(rho) > 1.0).any():
        raise BadInput("autocorrelations is one series of numbers between -1 and 1")
    total = q + 2.0 * float(((q - np.arange(1, len(rho) + 1)) * rho).sum())
    if total <= 0.0:
        raise BadInput("these autocorrelations leave no variance; no series has them")
    return float(ratio * q / math.sqrt(total))


def probabilistic_sharpe(returns: Any, *, benchmark: float = 0.0) -> Any:
    """Return the probability that the true Sharpe ratio lies above ``benchmark``.

    Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)) with the raw kurtosis
    (Bailey and Lopez de Prado 2012, equation 11).

    :param benchmark: a Sharpe ratio per period.

    >>> from mts1b_quantkit.metrics import probabilistic_sharpe
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(probabilistic_sharpe(returns), 6)
    0.781711
    """
    return reduce_columns(returns, probabilistic_sharpe_of(benchmark))


def probabilistic_sharpe_of(benchmark: float) -> Measure:
    """Return the measure with its parameter."""
    level = _finite("benchmark", benchmark)

    def probability(sample: Sample) -> FloatArray:
        ratio, third, fourth = _moments(sample)
        return _probability(ratio, sample.rows, third, fourth, level)

    return probability


def probabilistic_sharpe_from_moments(
    sharpe: float,
    n_observations: int,
    *,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
    benchmark: float = 0.0,
) -> float:
    """Return the probability of a Sharpe ratio above ``benchmark``; see the form on returns.

    >>> from mts1b_quantkit.metrics import probabilistic_sharpe_from_moments
    >>> round(probabilistic_sharpe_from_moments(0.458, 24), 3)
    0.982
    """
    ratio = _finite("sharpe", sharpe)
    count = _observations(n_observations)
    level = _finite("benchmark", benchmark)
    third, fourth = _shape(skewness, excess_kurtosis)
    _possible(_error_term(ratio, third, fourth))
    return float(_probability(np.asarray(ratio), count, third, fourth, level))


def expected_max_sharpe(n_trials: int, variance: float) -> float:
    """Return the largest Sharpe ratio to expect of ``n_trials`` strategies without any skill.

    sqrt(variance) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g being Euler's constant
    (Bailey and Lopez de Prado 2014).

    :param variance: variance of the trials' Sharpe ratios, per period.

    >>> from mts1b_quantkit.metrics import expected_max_sharpe
    >>> round(expected_max_sharpe(100, 0.04), 6)
    0.506121
    """
    spread = math.sqrt(read_number("variance", variance, least=0.0, wanted="a finite one, >= 0"))
    return spread * _expected_maximum(n_trials)


def deflated_sharpe(returns: Any, *, n_trials: int, variance: float) -> Any:
    """Return the probabilistic Sharpe ratio against the best that ``n_trials`` give by chance.

    Bailey and Lopez de Prado 2014.

    :param variance: variance of the trials' Sharpe ratios, per period.

    >>> from mts1b_quantkit.metrics import deflated_sharpe
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(deflated_sharpe(returns, n_trials=10, variance=0.01), 6)
    0.679273
    """
    return probabilistic_sharpe(returns, benchmark=expected_max_sharpe(n_trials, variance))


def deflated_sharpe_from_moments(
    sharpe: float,
    n_observations: int,
    *,
    n_trials: int,
    variance: float,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> float:
    """Return the deflated Sharpe ratio of given moments; see :func:`deflated_sharpe`.

    >>> from mts1b_quantkit.metrics import deflated_sharpe_from_moments
    >>> round(deflated_sharpe_from_moments(0.1, 1250, n_trials=100, variance=0.0005), 6)
    0.937051
    """
    return probabilistic_sharpe_from_moments(
        sharpe,
        n_observations,
        skewness=skewness,
        excess_kurtosis=excess_kurtosis,
        benchmark=expected_max_sharpe(n_trials, variance),
    )


def min_track_record_length(
    returns: Any, *, benchmark: float = 0.0, confidence: float = 0.95
) -> Any:
    """Return how many observations make a Sharpe ratio above ``benchmark`` credible.

    1 + (1 - skew SR + (kurtosis - 1) / 4 SR^2) (z / (SR - SR*))^2 (Bailey and Lopez de Prado 2012,
    equation 13). Infinite where the ratio does not exceed the benchmark.

    >>> from mts1b_quantkit.metrics import min_track_record_length
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(min_track_record_length(returns), 6)
    18.8802
    """
    level, needed = _finite("benchmark", benchmark), require_confidence(confidence)
    return reduce_columns(returns, lambda sample: _track_length(*_moments(sample), level, needed))


def min_track_record_length_from_moments(
    sharpe: float,
    *,
    benchmark: float = 0.0,
    confidence: float = 0.95,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> float:
    """Return the observations needed; see :func:`min_track_record_length`.

    >>> from mts1b_quantkit.metrics import min_track_record_length_from_moments
    >>> round(min_track_record_length_from_moments(0.1), 2)
    272.91
    """
    needed = require_confidence(confidence)
    ratio, level = np.asarray(_finite("sharpe", sharpe)), _finite("benchmark", benchmark)
    third, fourth = _shape(skewness, excess_kurtosis)
    _possible(_error_term(float(ratio), third, fourth))
    return float(_track_length(ratio, third, fourth, level, needed))


def min_backtest_length(n_trials: int, *, target_sharpe: float = 1.0) -> float:
    """Return the years below which the best of ``n_trials`` reaches a ratio by chance alone.

    (E[max] / target)^2 (Bailey, Borwein, Lopez de Prado and Zhu 2014, theorem 1).

    :param target_sharpe: annualised.

    >>> from mts1b_quantkit.metrics import min_backtest_length
    >>> round(min_backtest_length(45), 4)
    4.9981
    """
    target = read_positive("target_sharpe", target_sharpe, wanted="a positive annual ratio")
    return (_expected_maximum(n_trials) / target) ** 2


def _moments(sample: Sample) -> tuple[FloatArray, FloatArray, FloatArray]:
    ratio = quotient(sample.mean, sample.deviation)
    return ratio, skew(sample), excess_kurtosis(sample)


def _error_term(ratio: Any, third: Any, fourth: Any) -> Any:
    return 1.0 + ratio**2 / 2.0 - third * ratio + fourth * ratio**2 / 4.0


def _probability(
    ratio: FloatArray, count: int, third: Any, fourth: Any, level: float
) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(_error_term(ratio, third, fourth))
        return np.asarray(ndtr((ratio - level) * math.sqrt(count - 1.0) / spread))


def _track_length(
    ratio: FloatArray, third: Any, fourth: Any, level: float, confidence: float
) -> FloatArray:
    distance = ratio - level
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        length = 1.0 + _error_term(ratio, third, fourth) * (ndtri(confidence) / distance) ** 2
    return np.asarray(np.where(distance > 0.0, length, np.where(distance <= 0.0, np.inf, np.nan)))


def _expected_maximum(n_trials: int) -> float:
    count = read_count("n_trials", n_trials)
    if count == 1:
        return 0.0
    first, second = ndtri(1.0 - 1.0 / count), ndtri(1.0 - 1.0 / (count * math.e))
    return float((1.0 - np.euler_gamma) * first + np.euler_gamma * second)


def _finite(name: str, value: float) -> float:
    return read_number(name, value, wanted="a finite number per period")


def _observations(count: int) -> int:
    return read_count("n_observations", count, least=2)


def _shape(skewness: float, excess_kurtosis: float) -> tuple[float, float]:
    return (
        read_number("skewness", skewness),
        read_number("excess_kurtosis", excess_kurtosis, least=-2.0, wanted="-2 or more"),
    )


def _possible(term: float) -> float:
    """Return the variance of a ratio times its rows when it is not negative."""
    if term < 0.0:
        raise BadInput(
            "skewness and excess_kurtosis give the ratio a negative variance; no distribution has "
            "them: its raw kurtosis is at least 1 + skewness^2"
        )
    return term


def _require_method(method: str) -> None:
    read_choice("method", method, ("iid", "mertens"))
