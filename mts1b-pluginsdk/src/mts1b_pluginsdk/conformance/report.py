"""What a conformance run found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckResult", "Report", "Verdict"]


class Verdict(StrEnum):
    """Say how a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check with its verdict and what was seen."""

    number: str
    name: str
    verdict: Verdict
    detail: str
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all checks of one subject, in order."""

    subject: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Return whether no check failed; a skipped one is not a failure."""
        return not self.failed

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """Return the checks that failed."""
        return tuple(one for one in self.results if one.verdict is Verdict.FAILED)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, for JSON."""
        checks = [
            {
                "number": one.number,
                "name": one.name,
                "verdict": one.verdict.value,
                "detail": one.detail,
                "source": one.source,
            }
            for one in self.results
        ]
        return {"subject": self.subject, "passed": self.passed, "checks": checks}
