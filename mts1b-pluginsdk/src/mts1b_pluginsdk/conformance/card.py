"""One numbered card of a conformance kit, and how it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.needs import Need, missing
from mts1b_pluginsdk.conformance.report import CardResult, Verdict
from mts1b_pluginsdk.conformance.sandbox import Connect
from mts1b_pluginsdk.conformance.settings import BenchSettings
from mts1b_pluginsdk.conformance.verdicts import CardFailed, CardSkipped

__all__ = ["Body", "Card", "Deck", "Group"]

Body = Callable[[Bench], Awaitable[str]]

_PATIENCES = 10
"""How many times the patience for one fill a whole card may take."""


class Group(StrEnum):
    """Say what part of a venue's work a card is about."""

    SESSION = "session"
    CAPABILITIES = "capabilities"
    SUBMIT = "submit"
    FILLS = "fills"
    CANCEL = "cancel"
    REPLACE = "replace"
    RESTART = "restart"
    AMBIGUITY = "ambiguity"
    LIMITS = "limits"
    DEAD_MAN = "dead man"
    ACCOUNT = "account"
    VALUES = "values"


@dataclass(frozen=True, slots=True)
class Card:
    """A thing that a broker must do.

    :param number: stable name in reports, ``B01`` and so on.
    :param purpose: what goes wrong for the fund when it fails.
    :param source: the written rule, or the public report of what went wrong, that it comes from.
    :param needs: what the venue must offer; where it does not, the card is skipped.
    """

    number: str
    title: str
    group: Group
    purpose: str
    source: str
    body: Body
    needs: tuple[Need, ...] = ()

    def __str__(self) -> str:
        return f"{self.number}-{self.title.replace(' ', '-')}"

    async def run(self, connect: Connect, *, settings: BenchSettings | None = None) -> CardResult:
        """Try one account and return what was seen; whatever the subject raises is a failure."""
        chosen = settings or BenchSettings()
        # A subject may raise anything. As a value it becomes a verdict; a cancellation of the
        # run itself still ends the run.
        limit = _PATIENCES * max(chosen.patience_s, 0.1)
        attempt = asyncio.wait_for(self._attempt(connect, chosen), limit)
        (seen,) = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(seen, str):
            return self._result(Verdict.PASSED, seen)
        if isinstance(seen, CardSkipped):
            return self._result(Verdict.SKIPPED, str(seen))
        return self._result(Verdict.FAILED, _told(seen, limit))

    async def _attempt(self, connect: Connect, settings: BenchSettings) -> str:
        bench = await Bench.begin(connect, settings=settings, number=int(self.number[1:]))
        try:
            for need in self.needs:
                reason = missing(bench, need)
                if reason:
                    raise CardSkipped(reason)
            seen = await self.body(bench)
            await bench.withdraw()
            return seen
        finally:
            await bench.close()

    def _result(self, verdict: Verdict, detail: str) -> CardResult:
        return CardResult(self.number, self.title, self.group.value, verdict, detail, self.source)


@dataclass(slots=True)
class Deck:
    """The cards of one group, written as decorated functions."""

    group: Group
    cards: list[Card] = field(default_factory=list)

    def card(
        self, number: int, title: str, *, purpose: str, source: str, needs: tuple[Need, ...] = ()
    ) -> Callable[[Body], Body]:
        """Add the decorated check as a card."""

        def add(body: Body) -> Body:
            self.cards.append(
                Card(f"B{number:02d}", title, self.group, purpose, source, body, needs)
            )
            return body

        return add


def _told(error: BaseException, limit: float) -> str:
    if isinstance(error, CardFailed):
        return str(error)
    if isinstance(error, TimeoutError) and not error.args:
        return f"no answer within {limit:g} s"
    return f"raised {type(error).__name__}: {' '.join(str(error).split())}"
