"""The public API: rate-limited, without secrets, and read-only but for signed signals."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from mts1b_foundation.market_data import Bar, Quote
from mts1b_foundation.risk import ActiveHalt
from mts1b_foundation.time import INTERVALS
from mts1b_platform.hosts import is_own_host
from mts1b_platform.store import StoreError
from sqlalchemy.exc import DBAPIError

from mts1b_operations.api.board import Board, FundStatus
from mts1b_operations.api.limiter import PeerLimiter
from mts1b_operations.api.signals import SignalIntake, mount_signals

__all__ = ["create_app"]

Halts = Callable[[], Awaitable[list[ActiveHalt]]]
Health = Callable[[], Awaitable[dict[str, str]]]

_SYMBOL = r"^[A-Za-z0-9._:@/-]{1,40}$"
_LONGEST_URL = 2_048
_SIGNALS = "/v1/signals/"
_NOT_ME = "this API is not called so; use its address, or add the name to api.names in the settings"
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}

SymbolPath = Annotated[str, Path(pattern=_SYMBOL)]


def create_app(
    *,
    board: Board,
    halts: Halts,
    health: Health,
    limiter: PeerLimiter,
    signals: SignalIntake | None = None,
    host: str = "127.0.0.1",
    names: Collection[str] = (),
) -> FastAPI:
    """Return the application over a board and two questions.

    It publishes nothing and writes nothing; anything but GET and HEAD is refused, except signals
    where an intake for them is given.

    :param host: the address that it is served on.
    :param names: what it is called besides; a call by any other name is not answered, but for
        signals, whose signature no page of somebody else can make.
    """
    app = FastAPI(
        title="MTS1B public API", version="1", docs_url=None, redoc_url=None, openapi_url=None
    )
    own_host = partial(is_own_host, listens_on=host, names=names)
    _guard(app, limiter, own_host, takes_signals=signals is not None)
    app.state.sources = _Sources(board, halts, health)
    app.include_router(_ROUTES)
    if signals is not None:
        mount_signals(app, signals)
    for kind in (StoreError, DBAPIError):
        app.add_exception_handler(kind, _not_now)
    return app


async def _not_now(request: Request, error: Exception) -> Response:
    """Answer what the record does not take: the service stops, or the disk is full."""
    body = {"code": "NOT_NOW", "detail": "the record can not take it now; send it again"}
    return JSONResponse(body, status_code=503, headers={"Retry-After": "1"})


def _guard(
    app: FastAPI, limiter: PeerLimiter, own_host: Callable[[str], bool], *, takes_signals: bool
) -> None:
    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        posts = takes_signals and request.url.path.startswith(_SIGNALS)
        refused = _refusal(request, limiter, posts=posts)
        if refused is None and not posts and not own_host(request.headers.get("host", "")):
            refused = JSONResponse({"detail": _NOT_ME}, status_code=421)
        response = refused or await call_next(request)
        response.headers.update(_HEADERS)
        return response


def _refusal(request: Request, limiter: PeerLimiter, *, posts: bool) -> Response | None:
    peer = request.client.host if request.client is not None else "unknown"
    wait = limiter.wait_for(peer)
    if wait > 0:
        retry = str(max(1, math.ceil(wait)))
        body = {"detail": f"too many requests; try again in {retry} s"}
        return JSONResponse(body, status_code=429, headers={"Retry-After": retry})
    if posts and request.method != "POST":
        return JSONResponse({"detail": "POST"}, status_code=405, headers={"Allow": "POST"})
    if not posts and request.method not in ("GET", "HEAD"):
        body = {"detail": "this API is read-only: GET or HEAD"}
        return JSONResponse(body, status_code=405, headers={"Allow": "GET, HEAD"})
    if len(request.url.path) + len(request.url.query) > _LONGEST_URL:
        return JSONResponse({"detail": "the URL is too long"}, status_code=414)
    return None


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the answers are made of."""

    board: Board
    halts: Halts
    health: Health


_ROUTES = APIRouter()
"""Functions of the module: the framework remembers the functions behind its routes for ever, and
with those of one application all that this application was made of."""


def _of(request: Request) -> _Sources:
    sources: _Sources = request.app.state.sources
    return sources


@_ROUTES.api_route("/v1/quotes/{symbol}", methods=["GET", "HEAD"])
async def _quote(request: Request, symbol: SymbolPath) -> Quote:
    found = _of(request).board.quote(_token(symbol))
    if found is None:
        raise HTTPException(404, f"no quote of {symbol} has been published")
    return found


@_ROUTES.api_route("/v1/bars/{symbol}", methods=["GET", "HEAD"])
async def _bars(
    request: Request, symbol: SymbolPath, interval: Annotated[str, Query()] = "1d"
) -> list[Bar]:
    if interval not in INTERVALS:
        raise HTTPException(422, f"interval must be one of {', '.join(INTERVALS)}")
    found = _of(request).board.bars(_token(symbol), interval)
    if found is None:
        raise HTTPException(404, f"no {interval} bars of {symbol} have been published")
    return found


@_ROUTES.api_route("/v1/funds", methods=["GET", "HEAD"])
async def _funds(request: Request) -> list[FundStatus]:
    scopes = {halt.scope for halt in await _of(request).halts()}
    return [
        FundStatus(
            fund_id=nav.fund_id,
            as_of=nav.as_of,
            nav_usd=str(nav.nav_usd),
            drawdown=str(nav.drawdown),
            halted=bool(scopes & {"firm", f"fund:{nav.fund_id}"}),
        )
        for nav in _of(request).board.navs()
    ]


@_ROUTES.api_route("/v1/halts", methods=["GET", "HEAD"])
async def _halts(request: Request) -> list[ActiveHalt]:
    return await _of(request).halts()


@_ROUTES.api_route("/v1/healthz", methods=["GET", "HEAD"])
async def _healthz(request: Request) -> JSONResponse:
    checks = await _of(request).health()
    good = all(value == "ok" for value in checks.values())
    body = {"status": "ok" if good else "failing"}
    return JSONResponse(body, status_code=200 if good else 503)


def _token(symbol: str) -> str:
    """Return a symbol as it stands in subjects."""
    return symbol.replace(".", "_")
