"""Small SVG charts: they scale, follow the page's colours, and need no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise

__all__ = ["COLOURS", "KINDS", "Series", "bar_chart", "line_chart", "thin"]

COLOURS, KINDS = 6, 3
"""How many colours lines have, and kinds of stroke once these are used up."""

_WIDTH, _HEIGHT = 960, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 12, 12, 26
_POINTS = 700
_DAYS = 4
_NAME = 34


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and its points in time order."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]


def thin(values: Sequence[float], limit: int, pick: Callable[[list[float]], float]) -> list[float]:
    """Return at most ``limit`` values, ``pick`` choosing one from each equal bucket."""
    if len(values) <= limit:
        return list(values)
    edges = [round(i * len(values) / limit) for i in range(limit + 1)]
    return [pick(list(values[a:b])) for a, b in pairwise(edges)]


def _last(bucket: list[float]) -> float:
    return bucket[-1]


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values that cover [low, high]."""
    span = high - low
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    first = math.floor(low / step)
    return [i * step for i in range(first, math.ceil(high / step) + 1)]


def _around(value: float) -> float:
    return abs(value) / 10 or 1.0


class _Frame:
    """Map times and values to the drawing."""

    def __init__(self, series: Sequence[Series], *, zero: bool) -> None:
        values = [value for one in series for value in one.values]
        low, high = min(values), max(values)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:  # a flat line: an axis around it, below it where it is a drawdown of zero
            low, high = (-0.1, 0.0) if zero else (low - _around(low), high + _around(low))
        self.ticks = _ticks(low, high)
        self._low, self._high = self.ticks[0], self.ticks[-1]
        self._start = min(one.times[0] for one in series)
        self._end = max(one.times[-1] for one in series)
        self._seconds = max((self._end - self._start).total_seconds(), 1.0)

    def x(self, moment: datetime) -> float:
        """Return how far right a time stands."""
        share = (moment - self._start).total_seconds() / self._seconds
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return how far down a value stands."""
        share = (value - self._low) / ((self._high - self._low) or 1.0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def marks(self) -> list[tuple[datetime, str]]:
        """Return the times that the axis names: at most twelve years, or days of a short run."""
        first, last = self._start.year + 1, self._end.year
        if last - first < 2:
            return self._days()
        step = max(1, math.ceil((last - first + 1) / 12))
        years = [self._start.replace(year=y, month=1, day=1) for y in range(first, last + 1, step)]
        return [(year, str(year.year)) for year in years]

    def _days(self) -> list[tuple[datetime, str]]:
        span = self._end - self._start
        text = "%d %b %H:%M" if span < timedelta(days=2 * _DAYS) else "%d %b %Y"
        moments = [self._start + span * part / _DAYS for part in range(_DAYS)] if span else []
        return [(moment, f"{moment:{text}}") for moment in [*moments, self._end]]


def _axes(frame: _Frame, label: Callable[[float], str]) -> list[str]:
    parts = []
    right, edge = _WIDTH - _RIGHT, _LEFT - 8
    for tick in frame.ticks:
        y = frame.y(tick)
        text = escape(label(tick))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{edge}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for moment, text in frame.marks():
        x = min(max(frame.x(moment), _LEFT + 8), right - 36)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{text}</text>')
    return parts


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    label: Callable[[float], str] = "{:,.0f}".format,
    area: bool = False,
    pick: Callable[[list[float]], float] = _last,
    spans: Sequence[tuple[datetime, datetime]] = (),
) -> str:
    """Return an SVG with one line per series; ``spans`` are shaded, ``area`` fills to zero.

    Long series are thinned to what can be seen; ``pick`` chooses from each bucket (``min`` keeps
    the depth of a drawdown).
    """
    drawn = [one for one in series if one.values]
    if not drawn:
        return f'<p class="none">No data for: {escape(title)}.</p>'
    frame = _Frame(drawn, zero=area)
    parts = [_shade(frame, *span) for span in spans] + _axes(frame, label)
    for number, one in enumerate(drawn):
        parts.append(_line(frame, one, number, pick=pick, area=area))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _shade(frame: _Frame, start: datetime, end: datetime) -> str:
    left, right = frame.x(start), frame.x(end)
    return (
        f'<rect class="halt" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1.5):.1f}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM}"/>'
    )


def _line(
    frame: _Frame,
    one: Series,
    number: int,
    *,
    pick: Callable[[list[float]], float],
    area: bool,
) -> str:
    count = min(len(one.values), _POINTS)
    values = thin(one.values, count, pick)
    edges = [round(i * len(one.times) / count) for i in range(1, count + 1)]
    times = [one.times[edge - 1] for edge in edges]
    points = " ".join(
        f"{frame.x(moment):.1f},{frame.y(value):.1f}"
        for moment, value in zip(times, values, strict=True)
    )
    name = f"<title>{escape(one.name)}</title>"
    if count == 1:
        points = f"{points} {points}"  # without a length it is a dot, by its round ends
    look = f"k{number // COLOURS % KINDS} s{number % COLOURS}"
    look = f"dot {look}" if count == 1 else look
    drawn = f'<polyline class="line {look}" points="{points}">{name}</polyline>'
    if not area:
        return drawn
    base = frame.y(0.0)
    closed = f"{frame.x(times[0]):.1f},{base:.1f} {points} {frame.x(times[-1]):.1f},{base:.1f}"
    return f'<polygon class="area s{number % COLOURS}" points="{closed}"/>{drawn}'


def _clipped(name: str) -> str:
    """Return what of a name there is room for."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def bar_chart(values: Mapping[str, float], *, title: str, unit: str = "") -> str:
    """Return an SVG with one horizontal bar per name, longest first."""
    if not values:
        return f'<p class="none">None: {escape(title)}.</p>'
    rows = sorted(values.items(), key=lambda item: -item[1])
    largest = max(0.0, *values.values()) or 1.0
    parts = []
    for number, (name, value) in enumerate(rows):
        y, width = 8 + number * 28, max(value / largest * 520, 1.0)
        parts.append(
            f'<text x="250" y="{y + 14}" text-anchor="end">{escape(_clipped(name))}'
            f"<title>{escape(name)}</title></text>"
            f'<rect class="bar" x="260" y="{y}" width="{width:.1f}" height="20" rx="3"/>'
            f'<text x="{268 + width:.1f}" y="{y + 14}">{value:,.0f}{escape(unit)}</text>'
        )
    height = 16 + 28 * len(rows)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )
