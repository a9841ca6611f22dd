"""Make many attacks and count what was accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import Verifier

from mts1b_riskengine.approval import UsedApprovals, verify_approval
from mts1b_riskengine.errors import ApprovalInvalid
from mts1b_riskengine.token_attack.attacks import ATTACKS
from mts1b_riskengine.token_attack.bench import Attempt, Bench

__all__ = ["Report", "attack"]


@dataclass(slots=True)
class Report:
    """How many attempts of each kind were made, and which were accepted."""

    tried: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    genuine: int = 0
    refused_genuine: int = 0

    @property
    def attacks(self) -> int:
        """Return the number of attacks."""
        return sum(self.tried.values())

    def add(self, other: Report) -> None:
        """Take over the counts of another worker."""
        self.tried.update(other.tried)
        self.accepted += other.accepted
        self.genuine += other.genuine
        self.refused_genuine += other.refused_genuine

    @property
    def passed(self) -> bool:
        """Return whether no attack and every genuine approval was accepted."""
        return not self.accepted and not self.refused_genuine and self.genuine > 0

    def __str__(self) -> str:
        lines = [f"  {kind:<22}{count:>12,}" for kind, count in sorted(self.tried.items())]
        bound = f"{3 / self.attacks:.1e}" if self.attacks else "none"
        return "\n".join(
            [
                *lines,
                f"{self.attacks:,} attacks, {len(self.accepted)} accepted "
                f"(with 95 % confidence fewer than {bound} of all)",
                f"{self.genuine:,} genuine approvals, {self.refused_genuine} refused",
                *(f"ACCEPTED {case}" for case in self.accepted[:20]),
            ]
        )


def _accepts(case: Attempt, verifier: Verifier) -> bool:
    used = UsedApprovals()
    try:
        for _ in range(case.uses):
            verify_approval(
                case.approval,
                case.order,
                verifier,
                now=case.now,
                epoch=case.epoch,
                mode=case.mode,
                lease_id=case.lease_id,
                age_s=case.age_s,
            )
            used.use(case.approval)
    except ApprovalInvalid:
        return False
    return True


def attack(count: int, *, seed: int = 0) -> Report:
    """Make ``count`` attacks, one genuine approval with every tenth; return what was accepted."""
    rng = SeededRng(seed)
    bench, report, kinds = Bench(rng), Report(), tuple(ATTACKS.items())
    for number in range(count):
        case, verifier = bench.genuine()
        if number % 10 == 0:
            report.genuine += 1
            report.refused_genuine += not _accepts(case, verifier)
        name, make = kinds[number % len(kinds)]
        report.tried[name] += 1
        try:
            made = make(case, bench)
        except ValueError:  # it can not even be read as an approval
            continue
        if _accepts(made, verifier):
            report.accepted.append(f"{name} (seed {seed}, number {number}): {made}")
    return report
