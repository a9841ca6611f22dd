"""Why a function has no row in the table: one reason each."""

from __future__ import annotations

__all__ = ["REASONS"]

_OWN = "the project's own; no peer has anything to compare"
_MLFIN = "mlfinpy has it, but needs numpy below 2"
_NOBODY = "no peer implements it"

REASONS: dict[str, str] = {
    "allocators.nco_weights": "peers choose other clusters and solve to Clarabel's tolerance twice",
    "cost_models.almgren_impact": "no peer implements the model of 2005",
    "cv.verdict": _OWN,
    "cv.walk_forward": _OWN,
    "factors.get": _OWN,
    "factors.register": _OWN,
    "metrics.annualise_sharpe": "no peer corrects for autocorrelation",
    "metrics.min_backtest_length": _NOBODY,
    "metrics.min_track_record_length": _NOBODY,
    "metrics.min_track_record_length_from_moments": _NOBODY,
    "metrics.probability_of_backtest_overfitting": _MLFIN,
    "metrics.summary": "each of its numbers is that of a function above, to the last bit",
    "microstructure.amihud_illiquidity": _NOBODY,
    "microstructure.cusum_filter": _MLFIN,
    "microstructure.roll_spread": _NOBODY,
    "microstructure.vpin": _NOBODY,
    "risk.acerbi_szekely_z2": _NOBODY,
    "volatility.garman_klass": _NOBODY,
    "volatility.parkinson": _NOBODY,
    "volatility.rogers_satchell": _NOBODY,
    "volatility.yang_zhang": _NOBODY,
}
