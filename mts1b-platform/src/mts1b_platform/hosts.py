"""By which names a server of this machine may be called."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address

__all__ = ["is_own_host"]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(:\d{1,5})?", re.IGNORECASE)


def is_own_host(given: str, *, listens_on: str, names: Collection[str] = ()) -> bool:
    """Return whether a ``Host`` header names this server.

    A page of somebody else can have its own name resolved to this machine (DNS rebinding); a
    browser would then let it read every answer. The header tells: it holds that name. Addresses
    and ``localhost`` can not be had that way.

    :param listens_on: the address that the server is bound to; bound to all, any address names it.
    :param names: what else it is called, as behind a proxy.
    """
    found = _HOST.fullmatch(given.strip())
    if found is None:
        return False
    name = found[1].strip("[]").rstrip(".").lower()
    if name in {"localhost", listens_on.lower(), *(known.lower() for known in names)}:
        return True
    try:
        return ip_address(name).is_loopback or listens_on in ("0.0.0.0", "::")
    except ValueError:
        return False
