"""Metrics with one naming rule: ``mts_<package>_<what>_<unit>``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

__all__ = ["CONTENT_TYPE_LATEST", "UNITS", "MetricNameError", "Metrics", "process_metrics"]

UNITS = ("seconds", "bytes", "usd", "ratio", "bps", "count", "timestamp_seconds")
"""Units of gauges and histograms; a counter always ends in ``total``."""

M = TypeVar("M", Counter, Gauge, Histogram)

_PART = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class MetricNameError(ValueError):
    """A metric breaks the naming rule, or is asked for in two shapes."""


def _name(package: str, what: str, unit: str) -> str:
    for part in (package, what):
        if not _PART.fullmatch(part):
            raise MetricNameError(f"{part!r} must be lower case words joined by underscores")
    if unit not in (*UNITS, "total"):
        raise MetricNameError(f"unit {unit!r} of {package}.{what} is none of {', '.join(UNITS)}")
    return f"mts_{package}_{what}_{unit}"


class Metrics:
    """Make metrics of one registry; the same metric asked for twice is the same object.

    :param registry: by default that of the process, which ``/metrics`` serves.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._known: dict[str, tuple[tuple[str, ...], Counter | Gauge | Histogram]] = {}

    def counter(self, package: str, what: str, help: str, labels: Sequence[str] = ()) -> Counter:
        """Return ``mts_<package>_<what>_total``."""
        name = _name(package, what, "total")
        found = self._find(name, labels)
        if isinstance(found, Counter):
            return found
        return self._keep(name, labels, Counter(name, help, labels, registry=self._registry))

    def gauge(
        self, package: str, what: str, unit: str, help: str, labels: Sequence[str] = ()
    ) -> Gauge:
        """Return the gauge ``mts_<package>_<what>_<unit>``."""
        name = _name(package, what, unit)
        found = self._find(name, labels)
        if isinstance(found, Gauge):
            return found
        return self._keep(name, labels, Gauge(name, help, labels, registry=self._registry))

    def histogram(
        self,
        package: str,
        what: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        unit: str = "seconds",
        buckets: Sequence[float] = _SECONDS,
    ) -> Histogram:
        """Return the histogram ``mts_<package>_<what>_<unit>``; default buckets 100 us to 5 s."""
        name = _name(package, what, unit)
        found = self._find(name, labels)
        if isinstance(found, Histogram):
            return found
        made = Histogram(name, help, labels, registry=self._registry, buckets=buckets)
        return self._keep(name, labels, made)

    def _find(self, name: str, labels: Sequence[str]) -> Counter | Gauge | Histogram | None:
        known = self._known.get(name)
        if known is None:
            return None
        if known[0] != tuple(labels):
            raise MetricNameError(f"{name} has labels {known[0]}, asked for {tuple(labels)}")
        return known[1]

    def _keep(self, name: str, labels: Sequence[str], made: M) -> M:
        self._known[name] = (tuple(labels), made)
        return made

    def render(self) -> bytes:
        """Return the metrics as Prometheus text (:data:`CONTENT_TYPE_LATEST`)."""
        return generate_latest(self._registry)


process_metrics = Metrics()
"""The metrics of this process."""
