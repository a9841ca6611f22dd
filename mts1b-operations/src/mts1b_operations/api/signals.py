"""Signals from outside: signed, fresh, once each."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from mts1b_foundation.model import FrozenModel, PositiveDecimal
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.clock import Clock
from mts1b_platform.config import SignalSourceSettings
from mts1b_platform.ids import derive_id
from mts1b_platform.signing import HmacSigner
from pydantic import BeforeValidator, Field, ValidationError
from starlette.requests import ClientDisconnect

__all__ = ["Answer", "Door", "Kept", "SentSignal", "SignalIntake", "mount_signals"]

TIMESTAMP, SIGNATURE = "MTS-Timestamp", "MTS-Signature"
_LONGEST_BODY = 16_384
_FUTURE_S = 5.0
"""How far a sender's clock may be ahead of ours."""


def _no_switch(value: Any) -> Any:
    """Refuse true and false, which would pass for the numbers 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_no_switch)]


class SentSignal(FrozenModel):
    """The body of a request: what share of the strategy's NAV one symbol should have.

    ``id`` is the sender's own and names the signal for ever; ``price`` is what the sender saw.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")
    symbol: Symbol
    target_weight: Number = Field(ge=-10.0, le=10.0, allow_inf_nan=False)
    price: Annotated[PositiveDecimal, BeforeValidator(_no_switch)]
    thesis: str = Field("a signal from outside", min_length=5, max_length=500)
    confidence: Annotated[Number, Field(ge=0.0, le=1.0)] = 1.0
    horizon_minutes: int = Field(1440, gt=0, le=1_000_000)


class Kept(StrEnum):
    """What became of a signal that was put on record."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, and a body for programs (``code``) and people."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Door:
    """One source: its settings, the fund of its strategy, and the secrets that it may sign with."""

    settings: SignalSourceSettings
    fund_id: str
    secrets: Callable[[], Sequence[bytes]]


Keep = Callable[[str, Signal], Awaitable[Kept]]


def _refused(status: int, code: str, detail: str) -> Answer:
    return Answer(status, {"code": code, "detail": detail})


_UNKNOWN = _refused(401, "SIGNATURE", "no known source signed this")


class SignalIntake:
    """Check what arrives and keep it; nothing is written of what is refused.

    The signature is HMAC-SHA256, in hex, over ``<timestamp>.<body>``, with the timestamp in Unix
    seconds. A source that is not known and a signature that is wrong are answered alike.

    :param keep: puts a signal of a source on record, once.
    """

    def __init__(self, doors: Sequence[Door], *, clock: Clock, keep: Keep) -> None:
        self._doors = {door.settings.source: door for door in doors}
        self._clock = clock
        self._keep = keep

    async def receive(self, source: str, timestamp: str, signature: str, body: bytes) -> Answer:
        """Return what to answer one request."""
        door = self._doors.get(source)
        if door is None or not _signed(door.secrets(), timestamp, signature, body):
            return _UNKNOWN
        stale = self._staleness(door, timestamp)
        if stale is not None:
            return stale
        twice = _key_twice(body)
        if twice is not None:
            return _refused(422, "SIGNAL_INVALID", f"{twice}: the key stands twice")
        try:
            sent = SentSignal.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            return _refused(422, "SIGNAL_INVALID", f"{where}: {first['msg']}")
        signal = _signal_of(door, sent, datetime.fromtimestamp(float(timestamp), UTC))
        match await self._keep(source, signal):
            case Kept.CONFLICT:
                return _refused(
                    409, "SIGNAL_CONFLICT", f"{sent.id} is known and said something else"
                )
            case kept:
                known = kept is Kept.KNOWN
                body_out = {"id": sent.id, "signal_id": signal.signal_id, "duplicate": known}
                return Answer(200 if known else 202, body_out)

    def _staleness(self, door: Door, timestamp: str) -> Answer | None:
        """Refuse what was signed too long ago, or is dated after now."""
        try:
            sent_at = float(timestamp)
        except ValueError:
            sent_at = math.nan
        if not 0.0 <= sent_at < 1e11:  # NaN is not either
            return _refused(422, "SIGNAL_TIMESTAMP", f"{TIMESTAMP} must be Unix seconds")
        age, most = self._clock.now().timestamp() - sent_at, door.settings.max_age_s
        if age > most:
            return _refused(422, "SIGNAL_STALE", f"sent {age:.1f} s ago, at most {most:g} s")
        if age < -_FUTURE_S:
            return _refused(422, "SIGNAL_FUTURE", f"dated {-age:.1f} s after now")
        return None


def _key_twice(body: bytes) -> str | None:
    """Return a key that an object of the body has twice: one of two weights would be dropped."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        found.extend(key for key in keys if keys.count(key) > 1)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return None  # what is no JSON is refused by the model, which says where
    return found[0] if found else None


def _signed(secrets: Sequence[bytes], timestamp: str, signature: str, body: bytes) -> bool:
    """Return whether one of the secrets made the signature, in constant time."""
    message = timestamp.encode("utf-8", "replace") + b"." + body
    given = signature.strip().encode("utf-8", "replace")
    made = [HmacSigner(secret).sign(message).encode() for secret in secrets]
    return any(hmac.compare_digest(one, given) for one in made)


def _signal_of(door: Door, sent: SentSignal, sent_at: datetime) -> Signal:
    weight, source = sent.target_weight, door.settings.source
    return Signal(
        signal_id=derive_id("sig", "webhook", source, sent.id),
        agent_id=f"webhook:{source}",
        symbol=sent.symbol,
        strategy=door.settings.strategy_id,
        thesis=sent.thesis,
        direction=(weight > 0) - (weight < 0),
        confidence=sent.confidence,
        expected_return=0.0,
        horizon_minutes=sent.horizon_minutes,
        created_at=sent_at,
        reference_price=sent.price,
        fund_id=door.fund_id,
        target_weight=weight,
    )


_ROUTES = APIRouter()


@_ROUTES.post("/v1/signals/{source}")
async def _take(source: str, request: Request) -> JSONResponse:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BODY:
                told = {"code": "SIGNAL_TOO_LONG", "detail": f"at most {_LONGEST_BODY} bytes"}
                return JSONResponse(told, status_code=413)
    except ClientDisconnect:
        return JSONResponse({"code": "SIGNAL_CUT", "detail": "it never ended"}, status_code=400)
    intake: SignalIntake = request.app.state.intake
    answer = await intake.receive(
        source,
        request.headers.get(TIMESTAMP, ""),
        request.headers.get(SIGNATURE, ""),
        bytes(body),
    )
    return JSONResponse(dict(answer.body), status_code=answer.status)


def mount_signals(app: FastAPI, intake: SignalIntake) -> None:
    """Let the application take signals at ``POST /v1/signals/{source}``."""
    app.state.intake = intake
    app.include_router(_ROUTES)
