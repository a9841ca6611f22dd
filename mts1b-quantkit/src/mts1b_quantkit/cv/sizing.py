"""From scores of one row to target weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_choice, read_count, read_positive, shown

__all__ = ["Sizing", "SizingMethod", "as_sizing"]


class SizingMethod(StrEnum):
    """Name a rule from scores to weights."""

    EQUAL_WEIGHT_LONG = "equal_weight_long"
    EQUAL_WEIGHT_LS = "equal_weight_ls"
    SCORE_WEIGHTED = "score_weighted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """Choose how scores become weights.

    ``equal_weight_long`` holds the ``n_long`` highest scores in equal parts. ``equal_weight_ls``
    holds them against the ``n_short`` lowest, half of ``gross`` on each side; the sides never
    overlap: where there are too few scores, both shrink alike. ``score_weighted`` holds every
    asset in proportion to its score less the mean of the row. Equal scores: the first column wins.

    :ivar gross: sum of absolute weights.

    >>> from mts1b_quantkit.cv import Sizing
    >>> Sizing(method="equal_weight_ls", n_long=2, n_short=2).gross
    1.0
    """

    method: SizingMethod = SizingMethod.EQUAL_WEIGHT_LS
    n_long: int = 10
    n_short: int = 10
    gross: float = 1.0

    def __post_init__(self) -> None:
        read_choice("method", self.method, tuple(SizingMethod))
        for name in ("n_long", "n_short"):
            object.__setattr__(self, name, read_count(name, getattr(self, name)))
        gross = read_positive("gross", self.gross, wanted="a positive number, e.g. 1.0")
        object.__setattr__(self, "gross", gross)

    def weights(self, scores: FloatArray) -> FloatArray:
        """Return target weights (A,); zero where the score is NaN, all zero where none differs."""
        known = np.flatnonzero(~np.isnan(scores))
        result = np.zeros(len(scores))
        if len(known) < 2 or np.ptp(scores[known]) == 0.0:
            return result
        if self.method == SizingMethod.SCORE_WEIGHTED:
            centred = scores[known] - scores[known].mean()
            result[known] = centred * (self.gross / np.abs(centred).sum())
            return result
        order = known[np.argsort(-scores[known], kind="stable")]
        if self.method == SizingMethod.EQUAL_WEIGHT_LONG:
            held = order[: self.n_long]
            result[held] = self.gross / len(held)
            return result
        share = min(1.0, len(known) / (self.n_long + self.n_short))
        longs = order[: max(1, int(self.n_long * share))]
        shorts = order[::-1][: max(1, int(self.n_short * share))]
        result[longs] = self.gross / 2.0 / len(longs)
        result[shorts] = -self.gross / 2.0 / len(shorts)
        return result


def as_sizing(sizing: Sizing | Mapping[str, Any] | None) -> Sizing:
    """Read a :class:`Sizing`, or its fields by name.

    :raises BadInput: naming a field that is none.
    """
    if sizing is None:
        return Sizing()
    if isinstance(sizing, Sizing):
        return sizing
    if not isinstance(sizing, Mapping):
        raise BadInput(f"sizing is {shown(sizing)}; give a Sizing, or a mapping of its fields")
    known = {field.name for field in fields(Sizing)}
    unknown = sorted(set(sizing) - known, key=str)
    if unknown:
        raise BadInput(f"sizing has {unknown[0]!r}; its fields are {', '.join(sorted(known))}")
    return Sizing(**sizing)
