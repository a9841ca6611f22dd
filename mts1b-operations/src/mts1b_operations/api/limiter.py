"""How many requests one peer may make."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

from mts1b_platform.clock import Clock

__all__ = ["PeerLimiter"]

_MOST_PEERS = 10_000


class PeerLimiter:
    """A token bucket for each peer: ``burst`` at once, ``per_second`` in the long run.

    IPv6 peers count by /64, because one host owns that many addresses. Headers are not read.
    """

    def __init__(self, clock: Clock, *, per_second: float = 10.0, burst: int = 20) -> None:
        self._clock = clock
        self._rate = per_second
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, peer: str) -> float:
        """Take one request of ``peer``; return 0, or the seconds after which to try again."""
        key, now = _bucket_of(peer), self._clock.monotonic()
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now)
        while len(self._buckets) > _MOST_PEERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self._rate


def _bucket_of(peer: str) -> str:
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return peer
