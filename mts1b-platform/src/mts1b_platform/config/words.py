"""Words that settings are written in: what is none of them is refused where it stands."""

from __future__ import annotations

from typing import Annotated

from mts1b_foundation.symbology import Symbol
from mts1b_foundation.time import interval_length
from pydantic import AfterValidator

__all__ = ["Interval", "SymbolNames"]


def _interval(text: str) -> str:
    interval_length(text)
    return text


def _each_once(names: list[str]) -> list[str]:
    seen: set[str] = set()
    for name in map(Symbol, names):
        if name in seen:
            raise ValueError(f"{name} is listed twice")
        seen.add(name)
    return names


Interval = Annotated[str, AfterValidator(_interval)]
"""The length of a bar: ``1d``."""

SymbolNames = Annotated[list[str], AfterValidator(_each_once)]
"""Symbols, each spelled as a symbol and listed once."""
