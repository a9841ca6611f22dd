"""Connect to the bus that the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation.bus_roles import OPERATOR

from mts1b_platform.errors import RetryLater
from mts1b_platform.eventbus.port import EventBus
from mts1b_platform.eventbus.server import NatsAddress, read_address

if TYPE_CHECKING:
    from mts1b_platform.config import Settings

__all__ = ["BusUnavailable", "connect"]


class BusUnavailable(RetryLater):
    """No bus answers."""


async def connect(
    home: Path | None = None,
    *,
    settings: Settings | None = None,
    url: str | None = None,
    name: str = "",
    user: str = OPERATOR,
    environ: Mapping[str, str] | None = None,
    patience_s: float = 10.0,
) -> EventBus:
    """Return a connected bus.

    :param home: MTS_HOME; by default that of the environment.
    :param url: a server to use instead of the configured one.
    :param user: the role that we connect as, where our own server is used.
    :param patience_s: how long to wait for a server that is starting.
    :raises BusUnavailable: when no server answers in time.
    :raises FixConfiguration: when the server does not know the user.
    """
    from mts1b_platform.config import load_settings, mts_home
    from mts1b_platform.eventbus.nats import NatsBus  # here: the port must not need the client

    given = os.environ if environ is None else environ
    where = home or mts_home(given)
    chosen = settings or load_settings(where, environ=given)
    if chosen.bus.kind == "local":
        raise BusUnavailable(
            "bus.kind is local: that bus lives inside `mts service run all` and can not be "
            "reached from another process"
        )
    address = NatsAddress(url) if url else _configured(chosen, where, given, user)
    return await NatsBus.connect(
        lambda: address or _configured(chosen, where, given, user),
        name=name,
        patience_s=patience_s,
    )


def _configured(
    settings: Settings, home: Path, environ: Mapping[str, str], user: str
) -> NatsAddress | None:
    if settings.bus.url:
        return NatsAddress(settings.bus.url)
    return read_address(home, environ, user=user)
