"""Volatility that comes in clusters: GARCH(1, 1), by quasi maximum likelihood.

Bollerslev 1986. With e_t = r_t - mean, h_t = omega + alpha e_(t-1)^2 + beta h_(t-1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput, NotConverged
from mts1b_quantkit.metrics.columns import deviation
from mts1b_quantkit.risk.likelihood import Likelihood
from mts1b_quantkit.scalars import read_choice, read_count, read_number, shown

__all__ = ["GarchForecast", "GarchParameters", "garch_forecast"]

_FEWEST = 50
_LONGEST = 1_000_000
_STARTS = ((0.05, 0.90), (0.10, 0.80), (0.03, 0.95), (0.20, 0.50), (0.05, 0.05))
"""Pairs of alpha and beta to search from; the likelihood may have several summits."""
_PERSISTENCE = 1.0 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class GarchParameters:
    """One model, per period.

    :ivar omega: positive, in squared returns. ``alpha`` and ``beta`` are not negative and sum to
        less than one, so that there is a long-run variance.
    :ivar mean: of the returns.
    """

    omega: float
    alpha: float
    beta: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        for name in ("omega", "alpha", "beta", "mean"):
            object.__setattr__(self, name, read_number(name, getattr(self, name)))
        if not (self.omega > 0.0 and self.alpha >= 0.0 and self.beta >= 0.0):
            raise BadInput(
                f"omega is {self.omega}, alpha {self.alpha}, beta {self.beta}; omega is positive, "
                "the others are not negative"
            )
        if not self.persistence < 1.0:
            raise BadInput(
                f"alpha + beta is {self.persistence}; only below 1 is there a long-run variance"
            )

    @property
    def persistence(self) -> float:
        """Return alpha + beta: how much of a shock is left one period later."""
        return self.alpha + self.beta

    @property
    def long_run_variance(self) -> float:
        """Return omega / (1 - alpha - beta), where forecasts go in the end."""
        return self.omega / (1.0 - self.persistence)

    def following(self, variance: float, returned: float) -> float:
        """Return the variance of the next period after one with this variance and return."""
        moved = read_number("returned", returned) - self.mean
        return self.omega + self.alpha * moved**2 + self.beta * _variance(variance)

    def ahead(self, variance: float, periods: int) -> float:
        """Return the expected variance ``periods`` after one of ``variance``."""
        level, after = self.long_run_variance, read_count("periods", periods, least=0)
        return level + self.persistence**after * (_variance(variance) - level)


@dataclass(frozen=True, slots=True, eq=False)
class GarchForecast:
    """What the model says of the periods after the last row.

    ``variance`` and ``volatility`` (horizon,) per period, ``parameters``, ``conditional`` (T,) the
    volatility of each row given the rows before it, in the kind of the returns, and
    ``log_likelihood``, Gaussian.
    """

    variance: FloatArray
    volatility: FloatArray
    parameters: GarchParameters
    conditional: Any
    log_likelihood: float


def garch_forecast(
    returns: Any,
    *,
    horizon: int = 1,
    parameters: GarchParameters | None = None,
    mean: Literal["constant", "zero"] = "constant",
    start: Literal["sample", "backcast"] = "sample",
) -> GarchForecast:
    """Forecast the variance of the next ``horizon`` periods.

    E[h_(T+k)] = V + (alpha + beta)^(k-1) (h_(T+1) - V), V being the long-run variance.

    :param returns: (T,) simple returns, fifty or more to estimate from.
    :param parameters: of the model; None to estimate them by Gaussian quasi maximum likelihood.
    :param mean: estimated with the rest, or zero.
    :param start: the variance before the first row: of the whole sample (Bollerslev 1986), or of
        the first 75 rows with weights falling by 0.94 a row.
    :raises BadInput: for a matrix, too few rows, returns that never move, or a horizon below 1.
    :raises NotConverged: when no start leads to a maximum.

    >>> from mts1b_quantkit.risk import GarchParameters
    >>> from mts1b_quantkit.risk import garch_forecast
    >>> model = GarchParameters(mean=0.0, omega=2e-6, alpha=0.13, beta=0.86)
    >>> garch_forecast([0.01, -0.02, 0.005], horizon=2, parameters=model).variance.round(8).tolist()
    [0.00017425, 0.00017451]
    """
    steps = read_count("horizon", horizon, most=_LONGEST)
    read_choice("mean", mean, ("constant", "zero"))
    read_choice("start", start, ("sample", "backcast"))
    if parameters is not None and not isinstance(parameters, GarchParameters):
        raise BadInput(f"parameters is {shown(parameters)}; give GarchParameters, or None")
    table = as_table(returns)
    if not table.is_vector:
        raise BadInput(f"returns has shape {table.values.shape}; give one series at a time")
    values = table.values
    if parameters is None:
        parameters = _estimate(values, mean=mean, start=start)
    centre = float(values.mean()) if mean == "constant" else 0.0
    likelihood = Likelihood(values, start=start, centre=centre)
    at = (parameters.mean, parameters.omega, parameters.alpha, parameters.beta)
    path = likelihood.variances(at)
    following = parameters.following(float(path[-1]), float(values[-1]))
    variance = np.array([parameters.ahead(following, step) for step in range(steps)])
    return GarchForecast(
        variance=variance,
        volatility=np.sqrt(variance),
        parameters=parameters,
        conditional=table.rows(np.sqrt(path)),
        log_likelihood=-likelihood.negative(at)[0],
    )


def _estimate(values: FloatArray, *, mean: str, start: str) -> GarchParameters:
    """Search in units of the standard deviation, so that the scale of the returns is no matter."""
    if len(values) < _FEWEST:
        raise BadInput(f"returns has {len(values)} rows; give {_FEWEST} or more, or parameters=")
    scale = float(deviation(values[:, None])[0])
    if scale == 0.0:
        raise BadInput("the returns never move; there is no variance to forecast")
    centre = float(values.mean()) if mean == "constant" else 0.0
    likelihood = Likelihood((values - centre) / scale, start=start, centre=0.0)
    found = [_search(likelihood, first, fixed_mean=mean == "zero") for first in _STARTS]
    best = min((one for one in found if one is not None), default=None, key=lambda one: one[1])
    if best is None:
        raise NotConverged("no GARCH(1, 1) was found; give more rows, or parameters=")
    moved, omega, alpha, beta = (float(x) for x in best[0])
    excess = alpha + beta - _PERSISTENCE
    return GarchParameters(
        mean=centre + scale * moved,
        omega=max(omega, 1e-300) * scale**2,
        alpha=max(alpha, 0.0),
        beta=max(beta - max(excess, 0.0), 0.0),
    )


def _search(
    likelihood: Likelihood, first: tuple[float, float], *, fixed_mean: bool
) -> tuple[FloatArray, float] | None:
    from scipy.optimize import minimize

    alpha, beta = first
    at = np.array([0.0, 1.0 - alpha - beta, alpha, beta])
    rows = len(likelihood.returns)

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood.negative(x)
        return value / rows, gradient / rows

    low = 1e-8
    found = minimize(
        objective,
        at,
        jac=True,
        method="SLSQP",
        bounds=[
            (0.0, 0.0) if fixed_mean else (-10.0, 10.0),
            (low, 10.0),
            (0.0, 1.0),
            (0.0, 1.0),
        ],
        constraints={
            "type": "ineq",
            "fun": lambda x: _PERSISTENCE - x[2] - x[3],
            "jac": lambda x: np.array([0.0, 0.0, -1.0, -1.0]),
        },
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    usable = bool(np.isfinite(found.x).all()) and math.isfinite(float(found.fun))
    return (np.asarray(found.x), float(found.fun)) if found.success and usable else None


def _variance(variance: float) -> float:
    return read_number("variance", variance, least=0.0, wanted="a variance, zero or more")
