"""Loss of a fund in the running day, week and month, from its NAV alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from mts1b_foundation import DenyCode, RiskEnvelope

__all__ = ["LOSS_RULES", "Breach", "LossRule", "NavMarks", "exact", "find_breach"]

ZERO, _ALL_LOST = Decimal(0), Decimal(-1)


@dataclass(frozen=True, slots=True)
class LossRule:
    """One loss limit: its word, its denial code, the reference it reads, the limit's field."""

    name: str
    code: DenyCode
    reference: str
    limit_field: str
    period: Callable[[datetime], tuple[int, ...]]


LOSS_RULES = (
    LossRule(
        "daily",
        DenyCode.DAILY_LOSS,
        "day_nav",
        "daily_loss_halt_pct",
        lambda moment: (moment.year, moment.month, moment.day),
    ),
    LossRule(
        "weekly",
        DenyCode.WEEKLY_LOSS,
        "week_nav",
        "weekly_loss_halt_pct",
        lambda moment: tuple(moment.isocalendar()[:2]),
    ),
    LossRule(
        "monthly",
        DenyCode.MONTHLY_LOSS,
        "month_nav",
        "monthly_loss_halt_pct",
        lambda moment: (moment.year, moment.month),
    ),
)


class NavMarks(NamedTuple):
    """The latest NAV, its peak, and the NAV at which the running day, week and month began.

    A period begins with the last NAV before it (UTC day, ISO week, month of ``as_of``); the first
    NAV ever seen begins all three. All in base currency.
    """

    nav: Decimal
    as_of: datetime
    peak: Decimal
    day_nav: Decimal
    week_nav: Decimal
    month_nav: Decimal

    @classmethod
    def first(cls, nav: Decimal, as_of: datetime) -> NavMarks:
        """Return the marks of a fund that has just been seen for the first time."""
        return cls(nav, as_of, nav, nav, nav, nav)

    def observe(self, nav: Decimal, as_of: datetime) -> NavMarks:
        """Return the marks after one more NAV; an older one changes nothing."""
        if as_of < self.as_of:
            return self
        peak = max(self.peak, nav)
        if as_of.date() == self.as_of.date():
            return NavMarks(nav, as_of, peak, self.day_nav, self.week_nav, self.month_nav)
        started = {
            rule.reference: self.nav
            for rule in LOSS_RULES
            if rule.period(as_of) != rule.period(self.as_of)
        }
        return self._replace(nav=nav, as_of=as_of, peak=peak, **started)

    def restart(self) -> NavMarks:
        """Return the marks with every period beginning at the latest NAV, as after a resume."""
        return self._replace(day_nav=self.nav, week_nav=self.nav, month_nav=self.nav)

    def with_capital(self, amount: Decimal) -> NavMarks:
        """Return the marks after owners brought ``amount``, or took it: every change stays.

        All move in the proportion in which the NAV does, as the price of a unit would stay. Where
        that has no meaning, as nothing was left or is left, everything begins at the new NAV.
        """
        after = self.nav + amount
        if self.nav <= ZERO or after <= ZERO:
            return self.first(after, self.as_of)
        peak, day, week, month = (
            reference * after / self.nav
            for reference in (self.peak, self.day_nav, self.week_nav, self.month_nav)
        )
        return NavMarks(after, self.as_of, peak, day, week, month)

    def changes(self) -> list[Decimal]:
        """Return the fractions gained (lost: negative) in the running periods of ``LOSS_RULES``.

        A reference that is not positive counts as a total loss.
        """
        nav, gained = self.nav, []
        for reference in (self.day_nav, self.week_nav, self.month_nav):
            gained.append(nav / reference - 1 if reference > ZERO else _ALL_LOST)
        return gained

    def change(self, rule: LossRule) -> Decimal:
        """Return the fraction gained (lost: negative) in the rule's running period."""
        return self.changes()[LOSS_RULES.index(rule)]


@dataclass(frozen=True, slots=True)
class Breach:
    """A loss limit that was reached: by how much, and what the limit was (both fractions)."""

    rule: str
    code: DenyCode
    change: Decimal
    limit: Decimal

    @property
    def reason(self) -> str:
        """Return e.g. ``daily PL -3.2% breached -3.0%``."""
        return f"{self.rule} PL {self.change * 100:.1f}% breached {self.limit * 100:.1f}%"


@lru_cache(maxsize=4096)
def exact(fraction: float) -> Decimal:
    """Return the decimal that a configured fraction was written as: 0.1 is exactly 0.1."""
    return Decimal(str(fraction))


def find_breach(marks: NavMarks, envelope: RiskEnvelope) -> Breach | None:
    """Return the first loss limit that is reached (at the limit counts), or None."""
    for rule, change in zip(LOSS_RULES, marks.changes(), strict=True):
        limit = -exact(getattr(envelope, rule.limit_field))
        if change <= limit:
            return Breach(rule.name, rule.code, change, limit)
    return None
