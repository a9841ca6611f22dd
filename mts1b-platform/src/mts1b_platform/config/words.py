"""Words that settings are written in: what is none of them is refused where it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from mts1b_foundation.time import interval_length
from pydantic import AfterValidator, Field

from mts1b_platform.config.misfit import Misfit

__all__ = ["MOST_USD", "STEPS", "BusUrl", "HostName", "Interval", "Seconds", "StoreUrl"]

STEPS = (Decimal("1E-18"), Decimal("1E12"))
"""The least and the largest step of a price or a quantity: others leave no digits to divide."""

MOST_USD = 10**15
"""More money than there is: a larger capital is a slip, and its cents would be rounded."""

_BUS_SCHEMES = ("nats", "tls", "ws", "wss")


def _interval(text: str) -> str:
    interval_length(text)
    return text


def _bus_url(text: str) -> str:
    if not _is_address(text, _BUS_SCHEMES):
        raise Misfit("", "this is no address of a bus; use nats://HOST:PORT (or tls, ws, wss)")
    return text


def _store_url(text: str) -> str:
    try:
        made = text.format(name="oms")
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise Misfit("", "{name} is all that may stand in braces") from error
    if not _is_address(made, ("postgresql+asyncpg",)):
        raise Misfit(
            "", "this is no address of a database; use postgresql+asyncpg://USER@HOST/DATABASE"
        )
    return text


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Return whether a text is a URL of one of the schemes, with a host."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return url.scheme in schemes and port != 0 and bool(url.hostname or "host=" in url.query)


Interval = Annotated[str, AfterValidator(_interval)]
"""The length of a bar: ``1d``."""

BusUrl = Annotated[str, AfterValidator(_bus_url)]
"""The address of a message server."""

StoreUrl = Annotated[str, AfterValidator(_store_url)]
"""The address of a database, in which ``{name}`` stands for the store."""

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9:])?$")]
"""A name or an address of a machine."""

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
"""A length of time: more than nothing, a year at most."""
