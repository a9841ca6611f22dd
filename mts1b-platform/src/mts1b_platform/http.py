"""HTTP clients made in one way: time-outs on every phase, no redirects, nothing secret in a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from mts1b_platform.errors import Refused, RetryLater
from mts1b_platform.logging import get_logger
from mts1b_platform.security import SecretRegistry

__all__ = ["HttpRefused", "HttpTimeouts", "HttpUnavailable", "http_client", "raise_for_outcome"]

_USER_AGENT = "mts1b"
_TEXT_LIMIT = 300


class HttpRefused(Refused):
    """The server understood and says no (4xx): evidence that nothing was done."""

    code = "HTTP_REFUSED"


class HttpUnavailable(RetryLater):
    """The server did not give an answer that means anything (429, 5xx).

    For an order this is no evidence: it may have been taken. See ``retry_after_s``.
    """

    code = "HTTP_UNAVAILABLE"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTimeouts:
    """Seconds that each phase of a request may take."""

    connect_s: float = 3.0
    read_s: float = 10.0
    write_s: float = 10.0
    pool_s: float = 5.0


def http_client(
    *,
    base_url: str = "",
    timeouts: HttpTimeouts | None = None,
    headers: Mapping[str, str] | None = None,
    secrets: SecretRegistry | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    max_connections: int = 20,
) -> httpx2.AsyncClient:
    """Return a client; the caller closes it (``async with http_client(...) as client``).

    Each response is logged at debug level with its address redacted and without headers.

    :param secrets: values to mask; put API keys there.
    :param transport: stands in for the network, e.g. ``httpx2.ASGITransport``.
    """
    registry = secrets or SecretRegistry()
    limits = timeouts or HttpTimeouts()
    log = get_logger("http")

    async def note(response: httpx2.Response) -> None:
        request = response.request
        log.debug(
            "http response",
            method=request.method,
            url=registry.redact(str(request.url)),
            status=response.status_code,
        )

    return httpx2.AsyncClient(
        base_url=base_url,
        headers={"user-agent": _USER_AGENT, **(headers or {})},
        timeout=httpx2.Timeout(
            connect=limits.connect_s, read=limits.read_s, write=limits.write_s, pool=limits.pool_s
        ),
        limits=httpx2.Limits(max_connections=max_connections),
        follow_redirects=False,
        transport=transport,
        event_hooks={"response": [note]},
    )


def raise_for_outcome(response: httpx2.Response, *, secrets: SecretRegistry | None = None) -> None:
    """Raise unless the response is a success (2xx); the message holds no secret.

    :raises HttpRefused: for 3xx and 4xx, except 408, 425 and 429.
    :raises HttpUnavailable: for those and 5xx.
    """
    if response.is_success:
        return
    registry = secrets or SecretRegistry()
    request = response.request
    text = registry.redact(
        f"{request.method} {request.url} answered {response.status_code}: "
        f"{response.text[:_TEXT_LIMIT]}"
    )
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        raise HttpUnavailable(text, _retry_after(response))
    raise HttpRefused(text)


def _retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None
