"""Which of several signals on one symbol is acted upon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mts1b_foundation.signals import Signal

from mts1b_portfolio.errors import BadTarget
from mts1b_portfolio.inputs import read_mapping, read_number

__all__ = ["MIN_CONFIDENCE", "Arbitration", "ScoredSignal", "arbitrate", "arbitration_score"]

MIN_CONFIDENCE = 0.40
"""Signals below this confidence do not take part."""

_LIQUIDITY_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class ScoredSignal:
    """A signal, its score, and why it took no part ("" when it did)."""

    signal: Signal
    score: float
    excluded: str = ""


@dataclass(frozen=True, slots=True)
class Arbitration:
    """The winner of each symbol (None where none scored above zero), and everything considered."""

    winners: Mapping[str, Signal | None]
    considered: tuple[ScoredSignal, ...]


def arbitration_score(signal: Signal, *, weight: float = 1.0) -> float:
    """Return weight x confidence x max(expected return, 0) x max(liquidity, 0.01).

    The expected return counts in the signal's own direction: a short signal that expects -2 % is
    worth as much as a long one that expects +2 %.

    :raises BadTarget: for a negative or infinite weight, or a signal whose numbers are not finite.

    >>> from datetime import UTC, datetime
    >>> from mts1b_foundation import Signal
    >>> from mts1b_portfolio import arbitration_score
    >>> signal = Signal(
    ...     signal_id="1",
    ...     agent_id="trend",
    ...     symbol="AAPL",
    ...     strategy="demo",
    ...     thesis="it moves",
    ...     direction=1,
    ...     confidence=0.5,
    ...     expected_return=0.02,
    ...     horizon_minutes=60,
    ...     reference_price="187.50",
    ...     created_at=datetime(2026, 3, 2, 15, tzinfo=UTC),
    ... )
    >>> round(arbitration_score(signal), 6)
    0.01
    """
    if not isinstance(signal, Signal):
        raise BadTarget(f"{signal!r} is no Signal; give one")
    sure, gain, liquidity = (
        read_number(f"{name} of signal {signal.signal_id}", getattr(signal, name), error=BadTarget)
        for name in ("confidence", "expected_return", "liquidity_score")
    )
    share = read_number("weight", weight, least=0.0, wanted="zero or more", error=BadTarget)
    worth = max(gain * (signal.direction or 1), 0.0)
    return share * sure * worth * max(liquidity, _LIQUIDITY_FLOOR)


def arbitrate(
    signals: Iterable[Signal],
    *,
    weights: Mapping[str, float] | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> Arbitration:
    """Choose one signal for each symbol: the highest score takes all.

    Equal scores go to the higher confidence, then to the smaller signal id, so that the order in
    which signals arrive decides nothing.

    :param weights: by agent; an agent without one has 1, one with 0 takes no part.
    :raises BadTarget: for a negative or infinite weight, a confidence outside [0, 1], or two
        signals of one id.

    >>> from datetime import UTC, datetime
    >>> from mts1b_foundation import Signal
    >>> from mts1b_portfolio import arbitrate
    >>> signal = Signal(
    ...     signal_id="1",
    ...     agent_id="trend",
    ...     symbol="AAPL",
    ...     strategy="demo",
    ...     thesis="it moves",
    ...     direction=1,
    ...     confidence=0.5,
    ...     expected_return=0.02,
    ...     horizon_minutes=60,
    ...     reference_price="187.50",
    ...     created_at=datetime(2026, 3, 2, 15, tzinfo=UTC),
    ... )
    >>> arbitrate([signal]).winners["AAPL"].signal_id
    '1'
    """
    given = {
        agent: read_number(
            f"the weight of agent {agent}",
            weight,
            least=0.0,
            wanted="zero or more",
            error=BadTarget,
        )
        for agent, weight in read_mapping("weights", {} if weights is None else weights).items()
    }
    floor = read_number(
        "min_confidence",
        min_confidence,
        least=0.0,
        most=1.0,
        wanted="a fraction of one",
        error=BadTarget,
    )
    considered = tuple(
        _scored(signal, given.get(signal.agent_id, 1.0), floor) for signal in _sorted(signals)
    )
    ids = [item.signal.signal_id for item in considered]
    twice = next((name for name, other in pairwise(ids) if name == other), None)
    if twice is not None:
        raise BadTarget(f"signal {twice} is there twice")
    winners: dict[str, Signal | None] = {}
    for symbol in dict.fromkeys(str(item.signal.symbol) for item in considered):
        able = [
            item
            for item in considered
            if str(item.signal.symbol) == symbol and not item.excluded and item.score > 0.0
        ]
        best = max(able, key=lambda item: (item.score, item.signal.confidence), default=None)
        winners[symbol] = best.signal if best is not None else None
    return Arbitration(winners, considered)


def _sorted(signals: Iterable[Signal]) -> list[Signal]:
    if not isinstance(signals, Iterable):
        raise BadTarget(f"signals is a {type(signals).__name__}; give a list of signals")
    found = list(signals)
    strange = [item for item in found if not isinstance(item, Signal)]
    if strange:
        raise BadTarget(f"{strange[0]!r} is no Signal; give signals alone")
    return sorted(found, key=lambda signal: signal.signal_id)


def _scored(signal: Signal, weight: float, min_confidence: float) -> ScoredSignal:
    score = arbitration_score(signal, weight=weight)
    if signal.confidence < min_confidence:
        reason = f"confidence {signal.confidence:g} is below {min_confidence:g}"
        return ScoredSignal(signal, score, reason)
    if weight == 0.0:
        return ScoredSignal(signal, score, f"agent {signal.agent_id} has no weight")
    return ScoredSignal(signal, score)
