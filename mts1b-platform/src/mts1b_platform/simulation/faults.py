"""What goes wrong in one simulated run, what did, and a record of everything that happened."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mts1b_platform.rng import Rng

__all__ = ["Counters", "Faults", "Trace"]


@dataclass(frozen=True, slots=True)
class Faults:
    """The swarm parameters of one run. A probability counts for each message or act; 0 is off.

    ``bus_loss``: a request or its reply is lost. ``ack_loss``: a stream has stored a message and
    its publisher hears an error. ``duplicate``: a stream stores a message again, as after its
    window for duplicates. ``latency_s``: longest way of a message. ``partition_per_s``: a process
    loses the bus, for ``partition_s`` on average. ``wipe_per_min``: a stream is emptied and made
    anew. ``crash_per_min``: a process dies. ``store_error``: a commit fails and nothing of it is
    kept. ``store_doubt``: the disk fails in a commit, which may be kept or not (half and half), and
    the store takes no more until it is opened anew. ``store_slow``: a commit takes up to
    ``store_slow_s``. ``venue_timeout``: the venue's answer is lost (the act done or not, half and
    half).
    ``venue_deaf_per_s``: the venue answers nothing, for ``venue_deaf_s`` on average.
    ``venue_refuse``: the venue refuses an order. ``late_fill_s``: longest delay of a fill's report.
    ``repeat_fill``: a fill is reported again. ``halt_per_min``: an operator halts something.
    ``query_lost``: the venue's answer to a question is lost. ``correction_per_min``: the venue
    takes back or restates an execution. ``overfill_per_min``: the venue executes more than was
    ordered, or after the end of an order. ``external_per_min``: a person trades by hand in the
    same account. ``payment_per_min``: money comes or goes there without an order.
    ``closed_per_min``: a maintenance window begins, in which the venue refuses to
    answer and executes nothing, of ``closed_s`` on average. ``spacing_s``: seconds that the venue
    wants between two messages, on average. ``dead_man_s``: the venue has a dead-man timer, and
    the OMS sets it to so many seconds. ``clock_step_per_min``: the wall clock of a process, or of
    all, steps by up to ``clock_step_s``, back or forth, and is set right some time later.
    ``clock_drift``: seconds a second by which each process's wall clock may run wrong.
    ``venue_slow_s``: some orders are up to so many seconds on their way to the venue.
    ``restore_per_min``: the store of the OMS is put back from a backup of some time ago;
    ``risk_restore_per_min``: that of risk is. ``limits_per_min``: an operator tightens or loosens
    the limits of a fund. ``resolve``: an operator looks, each second, what became of an order in
    doubt, and resolves it.
    """

    bus_loss: float = 0.0
    ack_loss: float = 0.0
    duplicate: float = 0.0
    latency_s: float = 0.0
    partition_per_s: float = 0.0
    partition_s: float = 3.0
    wipe_per_min: float = 0.0
    crash_per_min: float = 0.0
    store_error: float = 0.0
    store_doubt: float = 0.0
    store_slow: float = 0.0
    store_slow_s: float = 2.5
    venue_timeout: float = 0.0
    venue_deaf_per_s: float = 0.0
    venue_deaf_s: float = 3.0
    venue_refuse: float = 0.0
    late_fill_s: float = 0.0
    repeat_fill: float = 0.0
    halt_per_min: float = 0.0
    query_lost: float = 0.0
    correction_per_min: float = 0.0
    overfill_per_min: float = 0.0
    external_per_min: float = 0.0
    payment_per_min: float = 0.0
    closed_per_min: float = 0.0
    closed_s: float = 6.0
    spacing_s: float = 0.0
    dead_man_s: float = 0.0
    clock_step_per_min: float = 0.0
    clock_step_s: float = 120.0
    clock_drift: float = 0.0
    venue_slow_s: float = 0.0
    restore_per_min: float = 0.0
    limits_per_min: float = 0.0
    resolve: float = 0.0
    risk_restore_per_min: float = 0.0

    @classmethod
    def none(cls) -> Faults:
        """Return a run in which nothing goes wrong."""
        return cls()

    @classmethod
    def swarm(cls, rng: Rng) -> Faults:
        """Draw a random part of the faults, each at a random strength.

        Not all at once: a rare fault is not drowned by the frequent ones (Groce et al. 2012).
        """
        chosen = {
            name: rng.uniform(0.1, 1.0) * most for name, most in _MOST.items() if rng.random() < 0.5
        }
        return cls(**chosen)

    @staticmethod
    def names() -> tuple[str, ...]:
        """Return the names of the faults that a swarm draws from."""
        return tuple(_MOST)

    def active(self) -> Mapping[str, float]:
        """Return the faults that are on, by name."""
        return {name: getattr(self, name) for name in _MOST if getattr(self, name) > 0.0}

    def without(self, name: str) -> Faults:
        """Return the same run without one of them."""
        return replace(self, **{name: 0.0})


_MOST: Mapping[str, float] = {
    "bus_loss": 0.3,
    "ack_loss": 0.3,
    "duplicate": 0.5,
    "latency_s": 0.2,
    "partition_per_s": 0.03,
    "wipe_per_min": 0.5,
    "crash_per_min": 4.0,
    "store_error": 0.02,
    "store_slow": 0.25,
    "venue_timeout": 0.6,
    "venue_deaf_per_s": 0.03,
    "venue_refuse": 0.2,
    "late_fill_s": 30.0,
    "repeat_fill": 0.5,
    "halt_per_min": 2.0,
    "query_lost": 0.3,
    "correction_per_min": 6.0,
    "overfill_per_min": 3.0,
    "external_per_min": 3.0,
    "closed_per_min": 1.0,
    "spacing_s": 3.0,
    "dead_man_s": 20.0,
    "clock_step_per_min": 6.0,
    "clock_drift": 0.001,
    "venue_slow_s": 5.0,
    "restore_per_min": 0.5,
    "payment_per_min": 2.0,
    "store_doubt": 0.004,
    "limits_per_min": 4.0,
    "resolve": 0.5,
    "risk_restore_per_min": 0.5,
}
"""How strong each fault may be."""


class Counters:
    """How often each thing happened: a fault that never did proves nothing."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def hit(self, name: str, times: int = 1) -> None:
        """Count one."""
        self._counts[name] += times

    def add(self, other: Mapping[str, int]) -> None:
        """Take over the counts of another run."""
        self._counts.update(other)

    def as_dict(self) -> dict[str, int]:
        """Return the counts, sorted by name."""
        return dict(sorted(self._counts.items()))


class Trace:
    """A digest over everything that happened, and the last lines of it.

    :param keep: how many lines to keep; None for all.
    """

    def __init__(self, *, keep: int | None = 200) -> None:
        self._hash = hashlib.sha256()
        self._keep = keep
        self.lines: list[str] = []
        self.length = 0

    def record(self, at: float, kind: str, *words: object) -> None:
        """Add one event at ``at`` virtual seconds."""
        line = f"{at:.6f} {kind} {' '.join(str(word) for word in words)}".rstrip()
        self._hash.update(line.encode() + b"\n")
        self.length += 1
        self.lines.append(line)
        if self._keep is not None and len(self.lines) > 2 * self._keep:
            del self.lines[: -self._keep]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all lines so far."""
        return self._hash.hexdigest()
