"""One numbered check, and how it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mts1b_pluginsdk.conformance.bench import (
    Bench,
    BenchSettings,
    CheckFailed,
    CheckSkipped,
    Connect,
)
from mts1b_pluginsdk.conformance.report import CheckResult, Verdict

__all__ = ["BrokerCheck"]

_PATIENCES = 10
"""How many times the patience for one fill a whole check may take."""


@dataclass(frozen=True, slots=True)
class BrokerCheck:
    """A thing that a broker must do.

    :param number: stable name in reports, ``B01`` and so on.
    :param purpose: what goes wrong for the fund when it fails.
    :param source: the written rule that it comes from.
    """

    number: str
    name: str
    purpose: str
    source: str
    body: Callable[[Bench], Awaitable[str]]

    def __str__(self) -> str:
        return f"{self.number}-{self.name.replace(' ', '-')}"

    async def run(self, connect: Connect, *, settings: BenchSettings | None = None) -> CheckResult:
        """Try one account and return what was seen; whatever the subject raises is a failure."""
        chosen = settings or BenchSettings()
        # A subject may raise anything. As a value it becomes a verdict; a cancellation of the
        # run itself still ends the run.
        limit = _PATIENCES * max(chosen.patience_s, 0.1)
        attempt = asyncio.wait_for(self._attempt(connect, chosen), limit)
        (seen,) = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(seen, str):
            return self._result(Verdict.PASSED, seen)
        if isinstance(seen, CheckSkipped):
            return self._result(Verdict.SKIPPED, str(seen))
        return self._result(Verdict.FAILED, _told(seen, limit))

    async def _attempt(self, connect: Connect, settings: BenchSettings) -> str:
        bench = Bench(connect, settings=settings, number=int(self.number[1:]))
        try:
            seen = await self.body(bench)
            await bench.withdraw()
            return seen
        finally:
            await bench.close()

    def _result(self, verdict: Verdict, detail: str) -> CheckResult:
        return CheckResult(self.number, self.name, verdict, detail, self.source)


def _told(error: BaseException, limit: float) -> str:
    if isinstance(error, CheckFailed):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"no answer within {limit:g} s"
    return f"raised {type(error).__name__}: {' '.join(str(error).split())}"
