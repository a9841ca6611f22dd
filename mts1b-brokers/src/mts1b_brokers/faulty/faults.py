"""What goes wrong at a venue, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from mts1b_platform.rng import Rng

__all__ = ["Dice", "VenueFaults"]


@dataclass(frozen=True, slots=True)
class VenueFaults:
    """Probabilities for each call or execution; 0 is off. ``_s`` are longest times in seconds.

    Of the answers: ``timeout`` (no answer to an order, done or not, half and half), ``reset``
    (the connection breaks, done or not), ``malformed`` (done, and the answer makes no sense),
    ``cancel_lost``, ``replace_lost``, ``query_lost``, ``deaf`` (the venue begins to answer
    nobody, for up to ``deaf_s``); ``answer_s`` is how long an answer takes that never comes.

    Of orders: ``reject_later`` (accepted, then rejected), ``fill_before_ack``,
    ``cancel_crosses_fill``, ``replace_crosses_fill``, ``replace_kills`` (refused, and the order
    is gone), ``fill_on_new_id`` (an execution under the new id before the replace's answer),
    ``old_half`` (listings show the half that a replace ended).

    Of executions: ``late_fill`` (told up to ``late_fill_s`` late, out of order), ``repeat``
    (told again), ``two_ids`` (told under a second id too), ``uncharged`` (told without its
    fee, which a correction states later), ``overfill``, ``late_execution`` (after the order had
    ended), ``bust``, ``amend``, ``bust_unseen`` (before the execution was told), ``external``
    (someone trades by hand in the account).

    Of listings: ``page_missing``, ``duplicate_rows``, ``stale``.
    """

    timeout: float = 0.0
    reset: float = 0.0
    malformed: float = 0.0
    cancel_lost: float = 0.0
    replace_lost: float = 0.0
    query_lost: float = 0.0
    deaf: float = 0.0
    reject_later: float = 0.0
    fill_before_ack: float = 0.0
    cancel_crosses_fill: float = 0.0
    replace_crosses_fill: float = 0.0
    replace_kills: float = 0.0
    fill_on_new_id: float = 0.0
    old_half: float = 0.0
    late_fill: float = 0.0
    repeat: float = 0.0
    two_ids: float = 0.0
    uncharged: float = 0.0
    overfill: float = 0.0
    late_execution: float = 0.0
    bust: float = 0.0
    amend: float = 0.0
    bust_unseen: float = 0.0
    external: float = 0.0
    page_missing: float = 0.0
    duplicate_rows: float = 0.0
    stale: float = 0.0
    answer_s: float = 1.0
    deaf_s: float = 5.0
    late_fill_s: float = 60.0

    @classmethod
    def none(cls) -> VenueFaults:
        """Return a venue at which nothing goes wrong."""
        return cls()

    @classmethod
    def swarm(cls, rng: Rng) -> VenueFaults:
        """Draw a random part of the faults, each at a random strength (Groce et al. 2012)."""
        chosen = {
            name: rng.uniform(0.1, 1.0) * _MOST.get(name, _USUAL)
            for name in cls.names()
            if rng.random() < 0.5
        }
        return cls(**chosen)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all faults."""
        return tuple(f.name for f in fields(cls) if f.name not in _TIMES)

    def active(self) -> Mapping[str, float]:
        """Return the faults that are on, by name."""
        return {name: getattr(self, name) for name in self.names() if getattr(self, name) > 0.0}

    def without(self, name: str) -> VenueFaults:
        """Return the same venue without one of them."""
        return replace(self, **{name: 0.0})

    def needing_desk(self) -> tuple[str, ...]:
        """Return the active faults that the venue's own people must carry out."""
        return tuple(name for name in self.active() if name in _BY_DESK)


_TIMES = frozenset({"answer_s", "deaf_s", "late_fill_s"})
_BY_DESK = frozenset(
    {
        "fill_before_ack",
        "cancel_crosses_fill",
        "replace_crosses_fill",
        "fill_on_new_id",
        "uncharged",
        "overfill",
        "late_execution",
        "bust",
        "amend",
        "bust_unseen",
        "external",
    }
)
_USUAL = 0.2
_MOST: Mapping[str, float] = {
    "deaf": 0.02,
    "reject_later": 0.1,
    "late_fill": 0.5,
    "repeat": 0.5,
    "overfill": 0.05,
    "late_execution": 0.05,
    "bust": 0.05,
    "amend": 0.05,
    "bust_unseen": 0.05,
    "external": 0.02,
}
"""How strong a fault may be in a swarm, where that is not the usual."""


class Dice:
    """Decide and count: a fault that never happened proves nothing."""

    def __init__(self, rng: Rng, count: Callable[[str], None]) -> None:
        self.rng = rng
        self.count = count

    def falls(self, probability: float) -> bool:
        """Return whether it happens; what is off draws nothing."""
        return probability > 0.0 and self.rng.random() < probability

    def takes(self, probability: float, name: str) -> bool:
        """Return whether it happens, and count it if so."""
        happens = self.falls(probability)
        if happens:
            self.count(name)
        return happens

    def up_to(self, seconds: float) -> float:
        """Return a time from 0 to ``seconds``."""
        return self.rng.uniform(0.0, seconds) if seconds > 0.0 else 0.0
