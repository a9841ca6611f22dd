"""Open lots of a position: what is left of each opening fill, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import overload

__all__ = ["Lot", "Lots"]


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one opening fill; ``quantity`` is signed.

    The lots of a holding are numbered as they are opened, without gaps: each has its row.
    """

    lot_id: str
    quantity: Decimal
    price: Decimal
    opened_at: datetime
    ordinal: int = field(default=0, compare=False)


class Lots(Sequence[Lot]):
    """A value that never changes, made so that one lot more costs no copy of those before it.

    The longer one shares the list of the shorter, which sees no further than its own end. Whoever
    adds a second time to the shorter one gets a list of his own.
    """

    __slots__ = ("_count", "_made")

    def __init__(self, lots: Iterable[Lot] = ()) -> None:
        self._made = list(lots)
        self._count = len(self._made)

    def with_(self, lot: Lot) -> Lots:
        """Return these lots and one more."""
        is_end = len(self._made) == self._count
        made = self._made if is_end else self._made[: self._count]
        made.append(lot)
        more = Lots.__new__(Lots)
        more._made, more._count = made, self._count + 1
        return more

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Lot]:
        return iter(self._made[: self._count])

    @overload
    def __getitem__(self, place: int) -> Lot: ...
    @overload
    def __getitem__(self, place: slice) -> list[Lot]: ...
    def __getitem__(self, place: int | slice) -> Lot | list[Lot]:
        if isinstance(place, slice):
            return self._made[: self._count][place]
        return self._made[range(self._count)[place]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lots) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Lots({list(self)!r})"
