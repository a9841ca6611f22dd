"""How the volume of a session is expected to spread over a window."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from mts1b_foundation.symbology import Symbol, SymbolKind

from mts1b_oms_algos.errors import BadParameter
from mts1b_oms_algos.parameters import PovParameters, VwapParameters

__all__ = ["SessionVolume", "expected_shares", "session_of"]

_NEW_YORK = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)

_DEPTH = Fraction(3, 2)
"""Depth of the U: volume per minute is 1 + 3/2 (x^2 - 1/3), with x from -1 at the open to 1 at the
close; the mean is one, and the ends trade four times as fast as the middle.

The U-shape of a share's day is well known (Jain and Joh 1988); this depth is a plain estimate. Give
the volumes of your own market as ``volume_profile`` where you have them.
"""


@dataclass(frozen=True, slots=True)
class SessionVolume:
    """How the volume of one session, from ``open`` to ``close``, is expected to come.

    :ivar shaped: the U-shape; otherwise evenly.
    """

    open: datetime
    close: datetime
    shaped: bool

    def share(self, start: datetime, end: datetime) -> Fraction:
        """Return the part of the session's volume expected from ``start`` to ``end``."""
        return self._until(end) - self._until(start)

    def _until(self, moment: datetime) -> Fraction:
        elapsed = Fraction((moment - self.open) // timedelta(microseconds=1))
        length = (self.close - self.open) // timedelta(microseconds=1)
        u = min(max(elapsed / length, Fraction(0)), Fraction(1))
        if not self.shaped:
            return u
        x = 2 * u - 1
        return u + _DEPTH * (x**3 - x) / 6


def session_of(
    symbol: Symbol, start: datetime, parameters: VwapParameters | PovParameters
) -> SessionVolume:
    """Return the session that a window beginning at ``start`` trades in.

    A pair trades around the clock: 24 hours from ``start``, without shape. Anything else has the
    U-shape of the given session, or of 09:30 to 16:00 in New York on the day of ``start``.

    :raises BadParameter: when one end of the session is missing, or the close is not the later one.
    """
    opening, closing = parameters.session_open, parameters.session_close
    if (opening is None) != (closing is None):
        raise BadParameter("give session_open and session_close together")
    if opening is not None and closing is not None:
        if closing <= opening:
            raise BadParameter(f"session_close {closing} is not after session_open {opening}")
        return SessionVolume(opening, closing, shaped=True)
    if symbol.kind is SymbolKind.PAIR:
        return SessionVolume(start, start + _DAY, shaped=False)
    day = start.astimezone(_NEW_YORK).date()
    return SessionVolume(
        datetime.combine(day, time(9, 30), tzinfo=_NEW_YORK),
        datetime.combine(day, time(16), tzinfo=_NEW_YORK),
        shaped=True,
    )


def expected_shares(
    parameters: VwapParameters, session: SessionVolume, start: datetime, n_slices: int
) -> tuple[Fraction, ...]:
    """Return the part of a session's volume that each slice of the window is expected to see.

    A window without any expected volume (outside the session) counts as flat.

    :raises BadParameter: when a profile of numbers has not one per slice, or is all zero.
    """
    interval = parameters.horizon / n_slices
    edges = [start + interval * i for i in range(n_slices + 1)]
    estimated = [session.share(a, b) for a, b in itertools.pairwise(edges)]
    total = sum(estimated, Fraction(0))
    length = Fraction(parameters.horizon / (session.close - session.open))
    window = total or min(length, Fraction(1)) or Fraction(1)
    flat = [window / n_slices] * n_slices
    if isinstance(parameters.volume_profile, tuple):
        return _given(parameters.volume_profile, n_slices, window)
    return tuple(flat if parameters.volume_profile == "uniform" or not total else estimated)


def _given(profile: Sequence[Decimal], n_slices: int, window: Fraction) -> tuple[Fraction, ...]:
    if len(profile) != n_slices:
        raise BadParameter(f"volume_profile has {len(profile)} values for {n_slices} slices")
    total = sum((Fraction(value) for value in profile), Fraction(0))
    if not total:
        raise BadParameter("volume_profile is all zero; give relative volumes")
    return tuple(Fraction(value) / total * window for value in profile)
