"""A connection to a NATS server: how it is opened, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from mts1b_platform.errors import PlatformError
from mts1b_platform.eventbus.permissions import inbox_of
from mts1b_platform.eventbus.server import NatsAddress
from mts1b_platform.logging import get_logger
from mts1b_platform.supervision import end_tasks

__all__ = ["close_client", "open_client", "settle"]

_DENIED = re.compile(r'permissions violation for publish to "([^"]+)"')
_CONNECT_S = 2.0
_FLUSH_S = 2
_PING_S = 10.0
"""A server that leaves two pings in a row unanswered is gone, whatever the connection says."""


async def open_client(
    address: NatsAddress, name: str, locate: Callable[[], NatsAddress | None], denied: set[str]
) -> Client:
    """Return a connected client, which reconnects for ever.

    :param locate: returns where the server is now.
    :param denied: takes the subjects that the server says may not be published on.
    :raises TimeoutError, NatsError, OSError: when it does not connect.
    """
    log = get_logger("bus")
    client = Client()

    async def on_error(error: Exception) -> None:
        log.warning("bus error", error=repr(error))
        denied.update(_DENIED.findall(str(error).lower()))
        if client.is_connected or client.is_closed:
            return
        try:
            now = locate()
        except (PlatformError, OSError, ValueError, LookupError) as unreadable:
            # Raised from here it would end the library's tries to connect, for ever.
            log.warning("the server's address can not be read now", error=repr(unreadable))
            return
        if now is not None:  # a server that restarts may have had to take another port
            client.set_server_pool([now.url])

    async def on_disconnect() -> None:
        if not client.is_closed:
            log.warning("bus disconnected")

    async def on_reconnect() -> None:
        log.info("bus reconnected")

    async def on_close() -> None:
        log.debug("bus closed")

    async with contextlib.AsyncExitStack() as undo:  # also of a cancellation as it has connected
        undo.push_async_callback(_hang_up, client)
        await _in_time(
            client.connect(
                address.url,
                name=name or None,
                token=address.token,
                user=address.user,
                password=address.password,
                inbox_prefix=inbox_of(address.user) if address.user else "_INBOX",
                connect_timeout=2,
                reconnect_time_wait=0.1,  # type: ignore[arg-type]  # a fraction works
                max_reconnect_attempts=-1,
                ping_interval=_PING_S,  # type: ignore[arg-type]  # a fraction works
                max_outstanding_pings=2,
                allow_reconnect=True,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                closed_cb=on_close,
                pending_size=8 * 1024 * 1024,
            )
        )
        undo.pop_all()
    return client


async def close_client(client: Client) -> None:
    """Close for good: what the server does not take soon is dropped, and no task is left."""
    try:
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await settle(client, _FLUSH_S)
    finally:
        await _hang_up(client)


async def settle(client: Client, timeout_s: int) -> None:
    """Return when the server has taken all that was said so far.

    The library's ping overtakes what waits to be written; during the first that is written.

    :raises NatsError, TimeoutError: when it does not answer.
    """
    await client.flush(timeout_s)
    await client.flush(timeout_s)


async def _hang_up(client: Client) -> None:
    """Close without a word.

    The library would write what is left to the connection that it had last, broken or frozen as
    that may be: it fails half-way then, or waits for ever.
    """
    client._pending, client._pending_data_size = [], 0
    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
    with contextlib.suppress(NatsError, OSError):
        await client.close()


async def _in_time(connecting: Coroutine[Any, Any, None]) -> None:
    """Connect within a while: the library would try for ever, and may lose a cancellation.

    :raises TimeoutError: when it takes longer.
    """
    task = asyncio.create_task(connecting)
    try:
        await asyncio.wait({task}, timeout=_CONNECT_S)
        if not task.done():
            raise TimeoutError
        task.result()
    finally:
        await end_tasks([task])
