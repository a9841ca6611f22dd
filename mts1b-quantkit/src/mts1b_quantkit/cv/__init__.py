"""Splitters that keep the future out of the training set.

They follow scikit-learn's interface, ``split(X)`` and ``get_n_splits``, and need nothing of it.
"""

from mts1b_quantkit.cv.combinatorial import CombinatorialPurgedKFold
from mts1b_quantkit.cv.kfold import PurgedKFold
from mts1b_quantkit.cv.walk import WalkForward

__all__ = ["CombinatorialPurgedKFold", "PurgedKFold", "WalkForward"]
