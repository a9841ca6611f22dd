"""Charts as SVG text: nothing to install, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["bars", "heat_table", "line", "table"]

_WIDTH, _HEIGHT, _POINTS = 760, 220, 1500


def line(values: FloatArray, title: str) -> str:
    """Return a line over time; long series are thinned to what a screen can show."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return f"<h3>{escape(title)}</h3><p>No data.</p>"
    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(int))
    low, high = float(known.min()), float(known.max())
    span = high - low or 1.0
    across = places / (len(values) - 1) * _WIDTH
    down = _HEIGHT - (values[places] - low) / span * _HEIGHT
    points = " ".join(
        f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True) if np.isfinite(y)
    )
    return _framed(title, f'<polyline points="{points}"/>', f"{low:.4g}", f"{high:.4g}")


def bars(values: FloatArray, title: str, count: int = 40) -> str:
    """Return a histogram."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return f"<h3>{escape(title)}</h3><p>No data.</p>"
    heights, edges = np.histogram(known, bins=count)
    most, wide = max(int(heights.max()), 1), _WIDTH / count
    drawn = "".join(
        f'<rect x="{place * wide:.1f}" y="{_HEIGHT - tall / most * _HEIGHT:.1f}" '
        f'width="{wide - 1:.1f}" height="{tall / most * _HEIGHT:.1f}"/>'
        for place, tall in enumerate(heights)
    )
    return _framed(title, drawn, f"{edges[0]:.4g}", f"{edges[-1]:.4g}")


def _framed(title: str, drawn: str, low: str, high: str) -> str:
    return (
        f"<h3>{escape(title)} <small>{low} to {high}</small></h3>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{drawn}</svg>'
    )


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def heat_table(headers: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> str:
    """Return a table whose cells after the first are coloured from the lowest to the highest."""
    numbers = [cell for row in rows for cell in row[1:] if cell is not None]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    span = (high - low) or 1.0
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        f"<tr><th>{escape(_text(row[0]))}</th>"
        + "".join(_cell(cell, low, span) for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<h3>{escape(title)}</h3><table class="heat"><tr>{head}</tr>{body}</table>'


def _cell(value: float | None, low: float, span: float) -> str:
    if value is None:
        return "<td></td>"
    hue = 10 + 120 * (value - low) / span
    return f'<td style="background:hsl({hue:.0f} 60% 75%)">{value:.3g}</td>'


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
