"""Splitters that keep the future out of the training set, and a walk-forward test of a factor.

The splitters follow scikit-learn's interface, ``split(X)`` and ``get_n_splits``, and need nothing
of it.
"""

from mts1b_quantkit.cv.combinatorial import CombinatorialPurgedKFold
from mts1b_quantkit.cv.kfold import PurgedKFold
from mts1b_quantkit.cv.result import Fold, WalkForwardResult
from mts1b_quantkit.cv.sizing import Sizing, SizingMethod
from mts1b_quantkit.cv.validation import walk_forward
from mts1b_quantkit.cv.verdict import Verdict, verdict
from mts1b_quantkit.cv.walk import WalkForward

__all__ = [
    "CombinatorialPurgedKFold",
    "Fold",
    "PurgedKFold",
    "Sizing",
    "SizingMethod",
    "Verdict",
    "WalkForward",
    "WalkForwardResult",
    "verdict",
    "walk_forward",
]
