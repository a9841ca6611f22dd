"""Names of rows and columns: two inputs that name them otherwise are not paired by position."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from mts1b_quantkit.errors import BadInput

if TYPE_CHECKING:
    from mts1b_quantkit.arrays import Table

__all__ = ["require_rising", "require_same", "require_same_columns", "require_same_rows"]


def require_same_rows(table: Table, other: Table, what: str, *, beside: str = "returns") -> None:
    """Refuse a second input whose rows are named otherwise than those of the first.

    :raises BadInput: where both have names and they differ.
    """
    require_same(table.index, other.index, f"{what} has other row labels than {beside}")


def require_same_columns(table: Table, other: Table, what: str, *, beside: str = "returns") -> None:
    """Refuse a second input whose columns are named otherwise than those of the first.

    :raises BadInput: where both have names and they differ.
    """
    require_same(table.columns, other.columns, f"{what} has other column labels than {beside}")


def require_same(names: Any, others: Any, said: str) -> None:
    """Refuse names that differ; None is for no names.

    :raises BadInput: beginning with what is ``said``.
    """
    if names is None or others is None or names is others:
        return
    alike = type(names) is type(others) and hasattr(names, "equals") and names.equals(others)
    if not alike and list(names) != list(others):
        raise BadInput(f"{said}; align them first")


def require_rising(index: Any, what: str) -> None:
    """Refuse rows from the newest to the oldest; other orders can be meant.

    :raises BadInput: naming the first and the last time.
    """
    if len(index) < 2 or not (isinstance(index[0], date) or hasattr(index[0], "start_time")):
        return
    try:
        falls = index[0] > index[-1] and (index[:-1] >= index[1:]).all()
    except TypeError:  # times that have no order
        return
    if falls:
        raise BadInput(
            f"{what} run back from {index[0]} to {index[-1]}; sort them by time, the oldest first"
        )
