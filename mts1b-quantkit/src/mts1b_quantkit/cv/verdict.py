"""What the fall from in-sample to out-of-sample means."""

from __future__ import annotations

import math
from enum import StrEnum

from mts1b_quantkit.scalars import read_number

__all__ = ["Verdict", "verdict"]

_ROBUST = 0.8
_ACCEPTABLE = 0.5


class Verdict(StrEnum):
    """Say what to do with a strategy."""

    ROBUST = "robust"
    ACCEPTABLE = "acceptable"
    REDESIGN = "redesign"
    ABANDON = "abandon"


def verdict(in_sample: float, out_of_sample: float) -> Verdict:
    """Judge a strategy by how much of its in-sample Sharpe ratio is left out of sample.

    Robust from 80 %, acceptable from 50 %, to be redesigned above 0, else to be abandoned: of 1.5,
    1.4 is robust, 1.0 acceptable, 0.6 asks for a redesign and -0.2 for an end. A strategy that
    earns nothing in sample, or whose ratios are not defined, is abandoned.

    :raises BadInput: for an infinite ratio.

    >>> from mts1b_quantkit.cv import verdict
    >>> verdict(1.5, 1.0).value
    'acceptable'
    """
    in_sample, out_of_sample = (
        value if isinstance(value, float) and math.isnan(value) else read_number(name, value)
        for name, value in (("in_sample", in_sample), ("out_of_sample", out_of_sample))
    )
    if not (in_sample > 0.0 and out_of_sample > 0.0):
        return Verdict.ABANDON
    left = out_of_sample / in_sample
    if left >= _ROBUST:
        return Verdict.ROBUST
    return Verdict.ACCEPTABLE if left >= _ACCEPTABLE else Verdict.REDESIGN
