"""What a conformance run found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CardResult", "Report", "Verdict"]


class Verdict(StrEnum):
    """Say how a card ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CardResult:
    """One card with its verdict and what was seen."""

    number: str
    title: str
    group: str
    verdict: Verdict
    detail: str
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all cards of one subject, in order."""

    subject: str
    results: tuple[CardResult, ...]

    @property
    def passed(self) -> bool:
        """Return whether no card failed; a skipped one is not a failure."""
        return not self.failed

    @property
    def failed(self) -> tuple[CardResult, ...]:
        """Return the cards that failed."""
        return tuple(one for one in self.results if one.verdict is Verdict.FAILED)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many cards ended with each verdict."""
        seen = Counter(one.verdict for one in self.results)
        return {verdict.value: seen[verdict] for verdict in Verdict}

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, for JSON."""
        checks = [
            {
                "number": one.number,
                "name": one.title,
                "group": one.group,
                "verdict": one.verdict.value,
                "detail": one.detail,
                "source": one.source,
            }
            for one in self.results
        ]
        return {"subject": self.subject, "passed": self.passed, "checks": checks}
