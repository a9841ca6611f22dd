"""How long each stage of the path took, in wall time."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from mts1b_platform.clock import Clock, SystemClock

__all__ = ["StageLatency", "Unmeasured"]

_BUCKETS_PER_OCTAVE = 16


class _Stage:
    """One body of a ``with``."""

    __slots__ = ("_begin", "_clock", "_latency", "_name")

    def __init__(self, latency: StageLatency, name: str, clock: Clock) -> None:
        self._latency, self._name, self._clock = latency, name, clock

    def __enter__(self) -> None:
        self._begin = self._clock.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._latency.record(self._name, self._clock.monotonic() - self._begin)


class StageLatency:
    """Count durations per stage in logarithmic buckets (relative error under 5 %).

    Memory does not grow with the number of records.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._buckets: dict[str, dict[int, int]] = {}
        self._largest: dict[str, float] = {}

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Record how long the body took, also when it raises."""
        return _Stage(self, name, self._clock)

    def record(self, name: str, seconds: float) -> None:
        """Record one duration."""
        nanoseconds = max(int(seconds * 1e9), 1)
        octave = nanoseconds.bit_length() - 1
        part = (nanoseconds - (1 << octave)) * _BUCKETS_PER_OCTAVE >> octave
        buckets = self._buckets.setdefault(name, {})
        key = octave * _BUCKETS_PER_OCTAVE + part
        buckets[key] = buckets.get(key, 0) + 1
        self._largest[name] = max(self._largest.get(name, 0.0), seconds)

    def summary(self) -> dict[str, dict[str, float]]:
        """Return per stage: count, p50, p90, p99 and max in microseconds."""
        return {name: self._summary_of(name) for name in sorted(self._buckets)}

    def _summary_of(self, name: str) -> dict[str, float]:
        buckets = sorted(self._buckets[name].items())
        total = sum(count for _, count in buckets)
        figures: dict[str, float] = {"count": total}
        for label, share in (("p50_us", 0.50), ("p90_us", 0.90), ("p99_us", 0.99)):
            seen = 0
            for key, count in buckets:
                seen += count
                if seen >= share * total:
                    figures[label] = round(_upper_edge(key) / 1000, 1)
                    break
        figures["max_us"] = round(self._largest[name] * 1e6, 1)
        return figures

    def save(self, path: Path) -> None:
        """Write the summary as JSON, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(self.summary(), sort_keys=True))
        os.replace(partial, path)


def _upper_edge(key: int) -> float:
    octave, part = divmod(key, _BUCKETS_PER_OCTAVE)
    return float((1 << octave) * (1 + (part + 1) / _BUCKETS_PER_OCTAVE))


class Unmeasured(StageLatency):
    """Measure nothing, where time is not real."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Do nothing."""
        return _NOTHING

    def record(self, name: str, seconds: float) -> None:
        """Forget."""


_NOTHING = nullcontext()
