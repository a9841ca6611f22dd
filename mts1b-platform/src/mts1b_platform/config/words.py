"""Words that settings are written in: what is none of them is refused where it stands."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from mts1b_foundation.symbology import Symbol
from mts1b_foundation.time import interval_length
from pydantic import AfterValidator, Field

__all__ = ["MOST_USD", "BusUrl", "HostName", "Interval", "Seconds", "StoreUrl", "SymbolNames"]

MOST_USD = 10**15
"""More money than there is: a larger capital is a slip, and its cents would be rounded."""

_BUS_SCHEMES = ("nats", "tls", "ws", "wss")


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


def _bus_url(text: str) -> str:
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError as error:
        raise ValueError(f"no address of a bus: {error}") from error
    if url.scheme not in _BUS_SCHEMES or not url.hostname or port == 0:
        raise ValueError(
            f"no address of a bus; use nats://HOST:PORT (or {', '.join(_BUS_SCHEMES[1:])})"
        )
    return text


def _store_url(text: str) -> str:
    try:
        made = text.format(name="oms")
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError("{name} is all that may stand in braces") from error
    url = urlsplit(made)
    if url.scheme != "postgresql+asyncpg" or not (url.hostname or "host=" in url.query):
        raise ValueError("no address of a database; use postgresql+asyncpg://USER@HOST/DATABASE")
    return text


Interval = Annotated[str, AfterValidator(_interval)]
"""The length of a bar: ``1d``."""

SymbolNames = Annotated[list[str], AfterValidator(_each_once)]
"""Symbols, each spelled as a symbol and listed once."""

BusUrl = Annotated[str, AfterValidator(_bus_url)]
"""The address of a message server."""

StoreUrl = Annotated[str, AfterValidator(_store_url)]
"""The address of a database, in which ``{name}`` stands for the store."""

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9:])?$")]
"""A name or an address of a machine."""

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
"""A length of time: more than nothing, a year at most."""
