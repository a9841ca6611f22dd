"""Charts as SVG text: nothing to install, nothing to load."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["bars", "columns", "heat_table", "line", "table", "text_of", "tiles"]

_WIDTH, _HEIGHT, _LEFT, _BELOW, _ABOVE = 760, 200, 64, 22, 10
_POINTS = 1500
_TICKS = 4
_APART = 1e-9
"""Difference of two values, relative to their size, from which on a chart tells them apart."""
_UNITS = ("", "k", "M", "G", "T")
_WHOLE = 1e15
"""Size from which on a number may have lost what is behind its point."""
_MOST_LETTERS = 8
"""So many fit beside a chart."""


def line(
    values: FloatArray,
    title: str,
    *,
    labels: Sequence[Any] = (),
    percent: bool = False,
    filled: bool = False,
) -> str:
    """Return a line over time; long series are thinned to what a screen can show.

    :param labels: the time of each value; three of them are written below.
    :param filled: colour what lies between the line and zero, as for a drawdown.
    """
    if np.isfinite(values).sum() < 2:
        return _nothing(title)
    places = _thinned(values)
    shown = values[places]
    known = shown[np.isfinite(shown)]
    low, high = float(known.min()), float(known.max())
    if filled:
        low, high = min(low, 0.0), max(high, 0.0)
    across = _LEFT + places / (len(values) - 1) * (_WIDTH - _LEFT)
    down = _down(shown, low, high)
    pairs = [(x, y) for x, y in zip(across, down, strict=True) if np.isfinite(y)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
    area = ""
    if filled:
        zero = float(_down(np.zeros(1), low, high)[0])
        first, last = pairs[0][0], pairs[-1][0]
        area = f'<polygon points="{first:.1f},{zero:.1f} {points} {last:.1f},{zero:.1f}"/>'
    drawn = f'{_scale(low, high, percent)}{area}<polyline points="{points}"/>{_times(labels)}'
    return _framed(title, drawn)


def _thinned(values: FloatArray) -> Any:
    """Return places that keep the lowest and the highest value of every stretch."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _POINTS // 2 + 1).astype(int)
    kept = {0, len(values) - 1}
    for start, stop in itertools.pairwise(edges):
        part = values[start:stop]
        if np.isfinite(part).any():
            kept |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
    return np.array(sorted(kept))


def _down(values: FloatArray, low: float, high: float) -> FloatArray:
    span = high - low or 1.0
    return np.asarray(_ABOVE + (_HEIGHT - _ABOVE) * (1.0 - (values - low) / span))


def _scale(low: float, high: float, percent: bool) -> str:
    """Return lines across with their values; one where there is one value alone."""
    values = np.linspace(low, high, _TICKS if high > low else 1)
    return "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        for y, text in zip(
            _down(values, low, high).tolist(), _texts(values, percent=percent), strict=True
        )
    )


def _texts(values: FloatArray, *, percent: bool = False) -> list[str]:
    """Return the values of an axis, evenly spread, with the digits that tell them apart."""
    size = float(np.abs(values).max())
    power = 0 if percent or size < 10_000.0 else min(len(_UNITS) - 1, int(np.log10(size)) // 3)
    scaled = values * 100.0 if percent else values / 1000.0**power
    step = abs(float(scaled[-1] - scaled[0])) / max(1, len(values) - 1) or abs(float(scaled[0]))
    whole = step == 0.0 or (scaled % 1.0 == 0.0).all()
    digits = 0 if whole else max(0, 1 - math.floor(math.log10(step * (1.0 + 1e-9))))
    unit = "%" if percent else _UNITS[power]
    texts = [f"{value:.{digits}f}{unit}" if value else f"0{unit}" for value in scaled.tolist()]
    fits = max(map(len, texts)) <= _MOST_LETTERS
    return texts if fits else [f"{value:.1e}{unit}" for value in scaled.tolist()]


def _times(labels: Sequence[Any]) -> str:
    """Return the first, the middle and the last time below a chart."""
    if len(labels) < 2:
        return ""
    places = ((0, "start", 0.0), (len(labels) // 2, "middle", 0.5), (len(labels) - 1, "end", 1.0))
    return "".join(
        f'<text x="{_LEFT + share * (_WIDTH - _LEFT):.0f}" y="{_HEIGHT + 17}" '
        f'text-anchor="{anchor}">{escape(_day(labels[place]))}</text>'
        for place, anchor, share in places
    )


def _day(moment: Any) -> str:
    return str(moment.date()) if hasattr(moment, "date") else str(moment)[:10]


def bars(
    values: FloatArray, title: str, *, mark: float | None = None, said: str = "", count: int = 40
) -> str:
    """Return a histogram; ``mark`` is a value to show in it, ``said`` what it is."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return _nothing(title)
    low, high = float(known.min()), float(known.max())
    if high - low <= _APART * max(abs(low), abs(high)):  # too near for bars between them
        low, high = low - 0.5, high + 0.5
    heights, edges = np.histogram(known, bins=count, range=(low, high))
    steps = _TICKS - 1  # whole numbers stand at the lines
    most, wide = steps * max(1, -(-int(heights.max()) // steps)), (_WIDTH - _LEFT) / count
    drawn = "".join(
        f'<rect x="{_LEFT + place * wide:.1f}" y="{_down(np.array([tall]), 0, most)[0]:.1f}" '
        f'width="{wide - 1:.1f}" height="{_HEIGHT - _down(np.array([tall]), 0, most)[0]:.1f}"/>'
        for place, tall in enumerate(heights)
        if tall
    )
    shares = np.linspace(0.0, 1.0, 5)
    anchors = ("start", "middle", "middle", "middle", "end")
    ticks = "".join(
        f'<text x="{_LEFT + share * (_WIDTH - _LEFT):.0f}" y="{_HEIGHT + 17}" '
        f'text-anchor="{anchor}">{text}</text>'
        for share, anchor, text in zip(
            shares.tolist(), anchors, _texts(low + shares * (high - low)), strict=True
        )
    )
    marked = ""
    if mark is not None and np.isfinite(mark) and edges[0] <= mark <= edges[-1]:
        x = _LEFT + (mark - edges[0]) / (edges[-1] - edges[0] or 1.0) * (_WIDTH - _LEFT)
        anchor, beside = ("end", x - 5) if x > _WIDTH / 2 else ("start", x + 5)
        marked = (
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"/>'
            f'<text x="{beside:.1f}" y="12" text-anchor="{anchor}">{escape(said)}</text>'
        )
    return _framed(title, f"{_scale(0, most, False)}{drawn}{ticks}{marked}")


def columns(pairs: Sequence[tuple[str, float]], title: str) -> str:
    """Return a column for each name and value, down from zero where the value is negative."""
    known = [value for _, value in pairs if np.isfinite(value)]
    if not known:
        return _nothing(title)
    low, high = min(0.0, *known), max(0.0, *known)
    wide = (_WIDTH - _LEFT) / len(pairs)
    zero = float(_down(np.zeros(1), low, high)[0])
    drawn = []
    for place, (name, value) in enumerate(pairs):
        middle = _LEFT + (place + 0.5) * wide
        drawn.append(
            f'<text x="{middle:.0f}" y="{_HEIGHT + 17}" text-anchor="middle">{escape(name)}</text>'
        )
        if np.isfinite(value):
            end = float(_down(np.array([value]), low, high)[0])
            drawn.append(
                f'<rect x="{middle - wide / 4:.1f}" y="{min(end, zero):.1f}" '
                f'width="{wide / 2:.1f}" height="{abs(end - zero):.1f}"/>'
                f'<text class="on" x="{middle:.0f}" y="{_beside(end, zero):.1f}" '
                f'text-anchor="middle">{value:.3g}</text>'
            )
    return _framed(title, _scale(low, high, False) + "".join(drawn))


def _beside(end: float, zero: float) -> float:
    """Return where a value is written: inside its column, or above one that is too short."""
    return min(end, zero) + (15.0 if abs(end - zero) > 20.0 else -4.0)


def _framed(title: str, drawn: str) -> str:
    return (
        f"<figure><h3>{escape(title)}</h3>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _BELOW}" role="img" '
        f'aria-label="{escape(title)}">{drawn}</svg></figure>'
    )


def _nothing(title: str) -> str:
    return f"<figure><h3>{escape(title)}</h3><p>No data.</p></figure>"


def tiles(items: Sequence[tuple[str, Any, str]]) -> str:
    """Return a box for each name, value and what the value says."""
    return (
        '<div class="tiles">'
        + "".join(
            f"<div><b>{escape(text_of(value))}</b><span>{escape(name.replace('_', ' '))}</span>"
            f"<small>{escape(said)}</small></div>"
            for name, value, said in items
        )
        + "</div>"
    )


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of text."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text_of(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def heat_table(headers: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> str:
    """Return a table of colours: blue above zero, orange below, white at zero.

    Values are written where cells are wide enough; a pointer held over a cell shows it always.
    """
    numbers = [abs(cell) for row in rows for cell in row[1:] if cell is not None]
    most = max(numbers, default=0.0) or 1.0
    written = len(headers) <= 16
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        f"<tr><th>{escape(text_of(row[0]))}</th>"
        + "".join(_cell(cell, most, written) for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f"<figure><h3>{escape(title)} <small>orange below zero, blue above; "
        f"darkest at {most:.3g}</small></h3>"
        f'<div class="wide"><table class="heat"><tr>{head}</tr>{body}</table></div></figure>'
    )


def _cell(value: float | None, most: float, written: bool) -> str:
    if value is None:
        return '<td class="none"></td>'
    share = min(1.0, abs(value) / most)
    red, green, blue = (33, 102, 172) if value >= 0 else (217, 95, 2)
    colour = ",".join(f"{255 - share * (255 - part):.0f}" for part in (red, green, blue))
    ink = "#fff" if share > 0.6 else "#222"
    text = f"{value:.2f}" if written else ""
    return f'<td style="background:rgb({colour});color:{ink}" title="{value:.4g}">{text}</td>'


def text_of(value: Any) -> str:
    """Return a number to four digits, a whole one with all, a missing one as a dash, a time to the
    minute."""
    if value is None:
        return "–"
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return f"{value + 0.0:,.0f}"
    if isinstance(value, float):
        return f"{value:.4g}" if np.isfinite(value) else "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "isoformat"):
        return str(value)[:16].removesuffix(" 00:00")
    return f"{value:,}" if isinstance(value, int) else str(value)
