"""Frames beside a panel: their rows and columns go where their labels say, not where they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Any

import numpy as np

from mts1b_GPUbacktester.errors import BadPanel, BadSetting
from mts1b_GPUbacktester.frames import is_frame, moment_of, wide_of

__all__ = ["aligned", "from_frames", "unmasked", "unnamed"]


def unmasked(given: Any) -> Any:
    """Return a masked array with what is missing as NaN; anything else as it is."""
    if isinstance(given, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(given), np.nan, given.data)
    return given


def aligned(
    name: str,
    given: Any,
    dates: Sequence[Any],
    symbols: Sequence[Any],
    *,
    error: type[Exception] = BadSetting,
) -> Any:
    """Return the numbers of a frame in the order of a panel, (T, A); what is no frame as it is.

    Rows or columns without labels, or with numbers from 0 on, are taken by position; so are all
    where the panel itself was given without.

    :raises BadSetting: or ``error``, where the labels are not those of the panel.
    """
    if not is_frame(given):
        return unmasked(given)
    values, times, names = wide_of(given)
    if names is not None and list(symbols) != unnamed(len(symbols)):
        wanted = [str(symbol) for symbol in symbols]
        values = values[:, _places(names, wanted, _columns(name, names), error)]
    if times is not None and not isinstance(dates, range):
        moments = [_moment(moment) for moment in times]
        wanted_moments = [_moment(moment) for moment in dates]
        values = values[_places(moments, wanted_moments, _rows(name), error)]
    return values


def unnamed(count: int) -> list[str]:
    """Return the symbols of assets that nobody has named."""
    return [f"A{place}" for place in range(count)]


def from_frames(
    fields: Mapping[str, Any], dates: Any, symbols: Any
) -> tuple[dict[str, Any], Any, Any]:
    """Return the fields of a mapping in one order, with the times and symbols of their frames.

    Those of the closes count, unless ``dates`` or ``symbols`` are given.

    :raises BadPanel: where the labels of two do not fit.
    """
    read = {name: wide_of(given)[1:] for name, given in fields.items() if is_frame(given)}
    timed = {name: times for name, (times, _) in read.items() if times is not None}
    for name in sorted(read, key=lambda name: name != "close"):
        times, names = read[name]
        if times is not None:
            _require_order(name, times, [other for other in fields if other not in timed])
            dates = sorted(times) if dates is None else dates
        symbols = names if symbols is None else symbols
    bars, assets = (() if given is None else given for given in (dates, symbols))
    arrays = {
        name: aligned(name, given, bars, assets, error=BadPanel) for name, given in fields.items()
    }
    return arrays, dates, symbols


def _require_order(name: str, times: Sequence[Any], untimed: Sequence[str]) -> None:
    """Refuse rows that do not rise beside rows that say nothing of their time.

    :raises BadPanel: naming both.
    """
    if untimed and any(late < early for early, late in pairwise(times)):
        raise BadPanel(
            f"the rows of {name} are not in the order of time, and {untimed[0]} has no times; sort "
            f"{name}, and {untimed[0]} alike"
        )


def _places(
    given: Sequence[Any],
    wanted: Sequence[Any],
    said: tuple[Callable[[Any], str], Callable[[Any], str], Callable[[Any], str]],
    error: type[Exception],
) -> list[int]:
    """Return where each wanted label is among the given ones."""
    twice, absent, unknown = said
    places = {label: place for place, label in enumerate(given)}
    if len(places) < len(given):
        raise error(twice(next(one for n, one in enumerate(given) if places[one] != n)))
    for label in wanted:
        if label not in places:
            raise error(absent(label))
    if len(places) > len(wanted):
        known = set(wanted)
        raise error(unknown(next(label for label in given if label not in known)))
    return [places[label] for label in wanted]


def _columns(name: str, names: Sequence[str]) -> Any:
    few = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return (
        lambda label: f"{name} has two columns {label!r}; remove one",
        lambda label: f"{name} has no column {label!r}; its columns are {few}",
        lambda label: f"{name} has a column {label!r}, which is no symbol of the panel; remove it",
    )


def _rows(name: str) -> Any:
    return (
        lambda label: f"{name} has two rows for {label}; remove one",
        lambda label: f"{name} has no row for {label}; reindex it to the bars of the panel",
        lambda label: f"{name} has a row for {label}, which is no bar of the panel; remove it",
    )


def _moment(given: Any) -> Any:
    """Return a time that equals every other way to say it; days are their midnight."""
    moment = given.astype("datetime64[us]").item() if isinstance(given, np.datetime64) else given
    if isinstance(moment, str):
        try:
            moment = moment_of(moment)
        except ValueError:
            return moment
    if isinstance(moment, datetime):
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(moment, date):
        return datetime.combine(moment, time())
    return moment
