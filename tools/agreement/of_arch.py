"""Volatility forecasts beside arch."""

from __future__ import annotations

import numpy as np
from arch import arch_model
from mts1b_quantkit import risk

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "arch"


def _forecast(data: Data) -> np.ndarray:
    model = arch_model(data.series * 100, mean="Constant", rescale=False)
    fitted = model.fit(disp="off", tol=1e-14, options={"maxiter": 1000})
    return np.asarray(fitted.forecast(horizon=10, reindex=False).variance.to_numpy()[0] / 1e4)


COMPARISONS = [
    Comparison(
        "risk.garch_forecast",
        "arch_model",
        lambda d: risk.garch_forecast(d.series, horizon=10, start="backcast").variance,
        _forecast,
        1e-5,
        'start="backcast"; both stop where the likelihood is flat to rounding',
    ),
]
