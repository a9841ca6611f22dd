"""Serve the API inside the operations service, on the loop that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from mts1b_operations.errors import ApiPortInUse

__all__ = ["ApiServer"]

_PATIENCE_S = 5.0
"""How long a peer may take over one request, or say nothing."""


class _Impatient(H11Protocol):
    """Close a connection on which no request has been completed for a while.

    Uvicorn waits for the rest of a request for ever, and a hundred such would keep out all others.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and look after it."""
        super().connection_made(transport)
        self._look(None, first=True)

    def _look(self, seen: Any, *, first: bool = False) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        answering = cycle is not None and not (cycle.more_body or cycle.response_complete)
        if cycle is seen and not first and not answering:
            self.transport.close()
            return
        self.loop.call_later(_PATIENCE_S, self._look, cycle)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the service host."""
        yield


class ApiServer:
    """Listen on ``host`` (loopback by default); port 0 takes any free one."""

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        self._host, self._wanted = host, port
        self.port = port
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            limit_concurrency=100,
            h11_max_incomplete_event_size=8_192,
            http=_Impatient,
            ws="none",
        )
        self._server = _Server(config)
        self._socket: socket.socket | None = None

    def bind(self) -> int:
        """Take the port; return it.

        :raises ApiPortInUse: when another process has it.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((self._host, self._wanted))
            taken.listen(64)
        except OSError as error:
            taken.close()
            raise ApiPortInUse(
                f"{self._host}:{self._wanted} can not be used for the public API ({error}); set "
                "api.port to a free port, or to 0 for any"
            ) from error
        self._socket = taken
        self.port = int(taken.getsockname()[1])
        return self.port

    async def run(self) -> None:
        """Serve until :meth:`stop`; the port is free afterwards, also when this is cancelled."""
        if self._socket is None:
            self.bind()
        try:
            await self._server.serve(sockets=[self._socket] if self._socket else None)
        finally:
            for listening in getattr(self._server, "servers", ()):
                listening.close()
            if self._socket is not None:
                self._socket.close()

    async def stop(self) -> None:
        """Finish what is begun, then close the port."""
        self._server.should_exit = True
        await asyncio.sleep(0)
        if self._socket is not None and not self._server.started:
            self._socket.close()
