"""Black-Litterman: what the market implies, moved by views (Black and Litterman 1992).

Formulas and the posterior covariance follow He and Litterman 1999; confidences follow Idzorek
2005 in Walters' closed form (2014). The view system is solved through P tau S P' + Omega, so a
certain view (Omega = 0) needs no special case.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mts1b_quantkit.allocators import cholesky
from mts1b_quantkit.allocators.inputs import Problem, condition_number, read_problem
from mts1b_quantkit.allocators.result import Allocation, Later, allocation
from mts1b_quantkit.arrays import LARGEST, FloatArray, Table, as_table, as_vector
from mts1b_quantkit.errors import BadInput, NotPositiveDefinite
from mts1b_quantkit.labels import require_same
from mts1b_quantkit.scalars import is_single, read_number, read_positive, shown

__all__ = ["Posterior", "black_litterman", "black_litterman_posterior"]

_WANTED_TAU = "a positive number, e.g. 0.05"


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """``posterior_mean`` (N,) and ``posterior_covariance`` (N, N) = S + M, per period."""

    posterior_mean: FloatArray
    posterior_covariance: FloatArray


def black_litterman_posterior(
    prior_mean: Any, covariance: Any, P: Any, Q: Any, *, omega: Any, tau: float
) -> Posterior:
    """Update a prior with views P m = Q + noise of covariance ``omega``.

    mean = m + tau S P' (P tau S P' + Omega)^-1 (Q - P m); M = tau S - tau S P' (...)^-1 P tau S.

    :param prior_mean: (N,). :param covariance: (N, N). :param P: (K, N). :param Q: (K,).
    :param omega: (K,) variances, or (K, K); may be zero: a view without doubt.
    :raises BadInput: for shapes that do not fit, or a tau that is not positive.
    :raises NotPositiveDefinite: when two certain views contradict or repeat each other.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import black_litterman_posterior
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> found = black_litterman_posterior(
    ...     [0.05, 0.08], covariance, [[1.0, 0.0]], [0.06], omega=[[0.002]], tau=0.05
    ... )
    >>> found.posterior_mean.round(6).tolist()
    [0.055, 0.08125]
    """
    given = {
        "covariance": as_table(covariance, what="covariance"),
        "prior_mean": as_table(prior_mean, what="prior_mean"),
        "P": as_table(P, what="P"),
    }
    _require_same_assets(given)
    risk, mean, picks = (table.values for table in given.values())
    picks = np.atleast_2d(picks)
    wanted = _numbers("Q", Q)
    doubt = _numbers("omega", omega)
    doubt = np.diag(doubt) if doubt.ndim < 2 else doubt
    tau = read_positive("tau", tau, wanted=_WANTED_TAU)
    views, size = picks.shape
    shapes = (mean.shape, risk.shape, wanted.shape, doubt.shape)
    if shapes != ((size,), (size, size), (views,), (views, views)):
        raise BadInput(
            f"P is ({views}, {size}); prior_mean, covariance, Q, omega have shapes {shapes}"
        )
    if not np.isfinite(doubt).all() or (np.diag(doubt) < 0.0).any():
        raise BadInput("omega holds a variance that is negative or no number")
    spread = tau * risk @ picks.T
    factor = _factor(picks @ spread + doubt)
    moved = mean + spread @ cholesky.solve(factor, wanted - picks @ mean)
    left = tau * risk - spread @ cholesky.solve(factor, spread.T)
    return Posterior(moved, risk + (left + left.T) / 2.0)


def black_litterman(
    returns: Any,
    *,
    covariance: Any = None,
    market_caps: Any = None,
    market_weights: Any = None,
    views: Sequence[Mapping[str, Any]] = (),
    risk_aversion: float = 2.5,
    tau: float = 0.05,
    omega: Any = "proportional",
) -> Allocation:
    """Combine the returns that the market weights imply with views.

    The prior mean is risk_aversion S w_market. A view is a mapping with ``symbols``, ``weights``
    (one for each symbol), ``expected`` (their combined return per period) and, for Idzorek's
    method, ``confidence`` in [0, 1]. Means are excess returns.

    :param market_caps: capitalisations, scaled to one; or give ``market_weights``.
    :param omega: ``"proportional"`` (the diagonal of P tau S P'), ``"idzorek"``, variances (K,),
        or a matrix (K, K).
    :return: ``weights`` = inv(risk_aversion posterior_covariance) posterior_mean, NOT scaled to a
        sum. Diagnostics ``prior_mean``, ``posterior_mean``, ``posterior_covariance``, ``omega``,
        ``implied_confidence`` (Idzorek's (w - w_market) / (w_certain - w_market) for each asset,
        NaN where no view moves it), ``condition_number``.
    :raises BadInput: for a view that names unknown assets or lacks a field.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import black_litterman
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> view = {"symbols": [0], "weights": [1.0], "expected": 0.06}
    >>> found = black_litterman(
    ...     None, covariance=covariance, market_weights=[0.6, 0.4], views=[view]
    ... )
    >>> found.diagnostics["posterior_mean"].round(6).tolist()
    [0.065, 0.10375]
    """
    risk_aversion = read_positive("risk_aversion", risk_aversion)
    tau = read_positive("tau", tau, wanted=_WANTED_TAU)
    problem = read_problem(returns, covariance)
    _ = problem.variances
    market = _market(problem, market_caps, market_weights)
    prior = risk_aversion * problem.covariance @ market
    by_confidence = isinstance(omega, str) and omega == "idzorek"
    picks, wanted, confidence = _read_views(problem, views, with_confidence=by_confidence)
    doubt = _doubt(omega, picks, problem.covariance, tau, confidence)
    sure = np.isfinite(np.diag(doubt)) if len(picks) else np.zeros(0, dtype=bool)
    posterior = _posterior(prior, problem.covariance, picks[sure], wanted[sure], doubt, sure, tau)
    certain = _certain_mean(prior, problem.covariance, picks, wanted, tau)
    factor = _factor(problem.covariance)
    labelled = problem.assets
    return allocation(
        labelled,
        cholesky.solve(_factor(posterior.posterior_covariance), posterior.posterior_mean)
        / risk_aversion,
        prior_mean=labelled.per_column(prior),
        posterior_mean=labelled.per_column(posterior.posterior_mean),
        posterior_covariance=labelled.square(posterior.posterior_covariance),
        omega=doubt,
        implied_confidence=labelled.per_column(
            _implied(
                cholesky.solve(factor, posterior.posterior_mean) / risk_aversion,
                cholesky.solve(factor, certain) / risk_aversion,
                market,
            )
        ),
        condition_number=Later(lambda: condition_number(problem.covariance)),
    )


def _market(problem: Problem, caps: Any, weights: Any) -> FloatArray:
    if (caps is None) == (weights is None):
        raise BadInput("give market_caps= or market_weights=, one of the two")
    if weights is not None:
        return as_vector(weights, problem.assets, what="market_weights")
    sizes = as_vector(caps, problem.assets, what="market_caps")
    if (sizes < 0.0).any() or sizes.sum() <= 0.0:
        raise BadInput("market_caps are sizes: none negative, some positive")
    return np.asarray(sizes / sizes.sum())


def _read_views(
    problem: Problem, views: Sequence[Mapping[str, Any]], *, with_confidence: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    if not isinstance(views, Sequence) or isinstance(views, str):
        raise BadInput(f"views is {shown(views)}; give a list of mappings")
    place = {name: j for j, name in enumerate(problem.assets.labels)}
    picks = np.zeros((len(views), problem.size))
    wanted, confidence = np.zeros(len(views)), np.ones(len(views))
    for k, view in enumerate(views):
        if not isinstance(view, Mapping):
            raise BadInput(f"view {k} is {shown(view)}; give a mapping with symbols and weights")
        fields = {"symbols", "weights", "expected"} | ({"confidence"} if with_confidence else set())
        missing = sorted(fields - set(view))
        if missing:
            raise BadInput(
                f"view {k} has no {missing[0]!r}; a view needs {', '.join(sorted(fields))}"
            )
        symbols, parts = (_listed(k, field, view[field]) for field in ("symbols", "weights"))
        unknown = [name for name in symbols if not isinstance(name, Hashable) or name not in place]
        if unknown or len(symbols) != len(parts) or not symbols:
            raise BadInput(
                f"view {k}: {unknown[0]!r} is none of the assets"
                if unknown
                else f"view {k} has {len(symbols)} symbols and {len(parts)} weights"
            )
        for name, part in zip(symbols, parts, strict=True):
            picks[k, place[name]] += read_number(f"a weight of view {k}", part)
        wanted[k] = read_number(f"expected of view {k}", view["expected"])
        confidence[k] = read_number(
            f"confidence of view {k}",
            view.get("confidence", 1.0),
            least=0.0,
            most=1.0,
            wanted="a fraction from 0 to 1",
        )
    return picks, wanted, confidence


def _doubt(
    omega: Any, picks: FloatArray, covariance: FloatArray, tau: float, confidence: FloatArray
) -> FloatArray:
    """Return Omega (K, K); an infinite variance is a view without weight."""
    own = tau * np.einsum("ki,ij,kj->k", picks, covariance, picks)
    if isinstance(omega, str):
        if omega not in ("proportional", "idzorek"):
            raise BadInput(f"omega is {shown(omega)}; use 'proportional', 'idzorek' or an array")
        if omega == "proportional":
            return np.diag(own)
        with np.errstate(divide="ignore"):
            return np.diag(
                np.where(confidence > 0.0, (1.0 - confidence) / confidence * own, np.inf)
            )
    given = _numbers("omega", omega)
    matrix = np.diag(given) if given.ndim < 2 else given
    if matrix.shape != (len(picks), len(picks)):
        raise BadInput(f"omega has shape {given.shape}; there are {len(picks)} views")
    return matrix


def _require_same_assets(given: Mapping[str, Table]) -> None:
    """Refuse inputs that name the assets otherwise: a matrix by its columns, a vector by itself."""
    named = {
        name: table.index if table.is_vector else table.columns for name, table in given.items()
    }
    for (first, names), (other, others) in combinations(named.items(), 2):
        require_same(names, others, f"{other} has other assets than {first}")


def _listed(number: int, field: str, values: Any) -> list[Any]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise BadInput(f"{field} of view {number} is {shown(values)}; give a list")
    return list(values)


def _numbers(name: str, values: Any) -> FloatArray:
    """Read one number (as a vector of one), a vector or a matrix; infinities are kept out."""
    if is_single(values):
        return np.array([read_number(name, values, wanted="numbers")])
    return as_table(values, what=name, largest=LARGEST**2).values


def _posterior(
    prior: FloatArray,
    covariance: FloatArray,
    picks: FloatArray,
    wanted: FloatArray,
    doubt: FloatArray,
    used: Any,
    tau: float,
) -> Posterior:
    if len(picks) == 0:
        return Posterior(prior, (1.0 + tau) * covariance)
    kept = np.ix_(used, used)
    return black_litterman_posterior(prior, covariance, picks, wanted, omega=doubt[kept], tau=tau)


def _certain_mean(
    prior: FloatArray, covariance: FloatArray, picks: FloatArray, wanted: FloatArray, tau: float
) -> FloatArray:
    """Return the mean if every view were certain; NaN where they can not all be."""
    if len(picks) == 0:
        return prior
    none = np.zeros(len(picks))
    try:
        return black_litterman_posterior(
            prior, covariance, picks, wanted, omega=none, tau=tau
        ).posterior_mean
    except NotPositiveDefinite:
        return np.full_like(prior, np.nan)


def _implied(weights: FloatArray, certain: FloatArray, market: FloatArray) -> FloatArray:
    far = certain - market
    moved = np.abs(far) > 1e-12 * max(1.0, float(np.abs(market).max()))
    return np.asarray(np.where(moved, (weights - market) / np.where(moved, far, 1.0), np.nan))


def _factor(matrix: FloatArray) -> cholesky.Factor:
    try:
        return cholesky.factor(matrix)
    except np.linalg.LinAlgError as error:
        raise NotPositiveDefinite(
            "a matrix has no inverse: two certain views say the same, or the covariance is "
            "singular; drop a view, or shrink the covariance"
        ) from error
