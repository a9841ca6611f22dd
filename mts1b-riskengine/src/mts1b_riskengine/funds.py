"""What the engine holds against a fund: its NAV, its loss limits, whether it is halted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import DenyCode, HaltRequest, HaltSeverity, NavSnapshot, RiskEnvelope
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.halts import HaltReading
from mts1b_riskengine.losses import Breach, NavMarks, find_breach
from mts1b_riskengine.statements import upsert

__all__ = ["REQUESTED_BY", "FundBook", "FundState", "OpenBreach"]

REQUESTED_BY = "mts1b-riskengine"


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """A breach that stays until the fund is resumed, with the id of the halt it asks for."""

    breach: Breach
    halt_id: str
    at: datetime

    def request(self, fund_id: str) -> HaltRequest:
        """Return the halt that the breach asks for; asked again, it is the same halt."""
        return HaltRequest(
            halt_id=self.halt_id,
            severity=HaltSeverity.FUND_HALT,
            fund_id=fund_id,
            reason=self.breach.reason,
            requested_by=REQUESTED_BY,
            requested_at=self.at,
            reduce_only_allowed=True,
        )


@dataclass(slots=True)
class FundState:
    """One fund: NAV marks, whether a halt covers it (since ``halt_epoch``), its open breach.

    A breach is latched: it denies new risk from the moment it is seen, whatever becomes of the
    NAV or of the halt request, until a resume ends the halt.
    """

    fund_id: str
    marks: NavMarks | None = None
    halted: bool = False
    halt_epoch: int = 0
    breach: OpenBreach | None = None
    _judged: tuple[NavMarks, RiskEnvelope, Breach | None] | None = field(
        default=None, init=False, compare=False, repr=False
    )

    def loss(self, envelope: RiskEnvelope) -> Breach | None:
        """Return the loss limit that the latest NAV has reached; looked for once per NAV."""
        marks, judged = self.marks, self._judged
        if marks is None:
            return None
        if judged is None or judged[0] is not marks or judged[1] is not envelope:
            judged = self._judged = (marks, envelope, find_breach(marks, envelope))
        return judged[2]

    @property
    def takes_no_risk(self) -> bool:
        """Return whether the fund is halted, or about to be."""
        return self.halted or self.breach is not None


class FundBook:
    """Keep the state of every fund in memory, and every change of it in the store."""

    def __init__(self, store: Store) -> None:
        self._keeps = store.keeps
        self._upsert = upsert(store, tables.funds)
        self._funds: dict[str, FundState] = {}

    def get(self, fund_id: str) -> FundState:
        """Return the state of a fund, empty when nothing is known yet."""
        return self._funds.get(fund_id) or FundState(fund_id)

    def pending(self) -> list[FundState]:
        """Return the funds whose breach has not led to a halt yet, by id."""
        waiting = [f for f in self._funds.values() if f.breach is not None and not f.halted]
        return sorted(waiting, key=lambda fund: fund.fund_id) if waiting else waiting

    async def follow_halts(self, tx: AsyncConnection, reading: HaltReading) -> None:
        """Notice which funds became halted, and which were resumed.

        A resume ends the breach and lets every period begin anew at the latest NAV; otherwise
        the loss that caused the halt would halt the fund again at once. Only a record that lists
        the halt as lifted, or has a later epoch than the halt's, proves a resume.
        """
        if reading.unreadable:
            return
        for fund in self._funds.values():
            if reading.active and reading.fund_is_halted(fund.fund_id):
                if not fund.halted:
                    await self._halt(tx, fund, reading.epoch)
            elif (fund.halted or fund.breach is not None) and _was_resumed(fund, reading):
                await self._resume(tx, fund)

    async def _halt(self, tx: AsyncConnection, fund: FundState, epoch: int) -> None:
        fund.halted, fund.halt_epoch = True, epoch
        await self._save(tx, fund)

    async def _resume(self, tx: AsyncConnection, fund: FundState) -> None:
        fund.halted, fund.breach = False, None
        fund.marks = fund.marks.restart() if fund.marks else None
        await self._save(tx, fund)

    async def observe_nav(
        self, tx: AsyncConnection, nav: NavSnapshot, envelope: RiskEnvelope | None
    ) -> OpenBreach | None:
        """Take a fund's NAV; return the breach that it opens, if it does.

        While a fund is halted, or its breach is open, no other breach opens.
        """
        fund = self._funds.get(nav.fund_id)
        if fund is None:
            fund = self._funds[nav.fund_id] = FundState(nav.fund_id)
        fund.marks = (
            fund.marks.observe(nav.nav_usd, nav.as_of)
            if fund.marks
            else NavMarks.first(nav.nav_usd, nav.as_of)
        )
        opened = self._open_breach(fund, envelope)
        if self._keeps:
            await self._save(tx, fund)
        return opened

    async def take_capital(self, tx: AsyncConnection, fund_id: str, amount: Decimal) -> None:
        """Let capital come or go: it is no gain and no loss of any period."""
        fund = self._funds.get(fund_id)
        if fund is not None and fund.marks is not None:
            fund.marks = fund.marks.with_capital(amount)
            await self._save(tx, fund)

    def _open_breach(self, fund: FundState, envelope: RiskEnvelope | None) -> OpenBreach | None:
        if envelope is None or fund.marks is None or fund.halted or fund.breach is not None:
            return None
        found = fund.loss(envelope)
        if found is None:
            return None
        at = fund.marks.as_of
        halt_id = derive_id("halt", f"fund:{fund.fund_id}", at.isoformat(), found.rule)
        fund.breach = OpenBreach(found, halt_id, at)
        return fund.breach

    async def confirm_halt(
        self, tx: AsyncConnection, fund_id: str, epoch: int, *, halt_id: str
    ) -> None:
        """Record that the halt which the fund's breach asked for is in force since ``epoch``.

        A breach that opened while the answer was on its way asks for another halt.
        """
        fund = self.get(fund_id)
        if fund.breach is not None and fund.breach.halt_id == halt_id and not fund.halted:
            await self._halt(tx, fund, epoch)

    async def _save(self, tx: AsyncConnection, fund: FundState) -> None:
        if self._keeps:
            await self._upsert.run(tx, {"fund_id": fund.fund_id, **_columns(fund)})

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by what the store holds."""
        rows = await tx.execute(sa.select(tables.funds))
        self._funds = {row.fund_id: _from_row(row) for row in rows}


def _was_resumed(fund: FundState, reading: HaltReading) -> bool:
    lifted = fund.breach is not None and fund.breach.halt_id in reading.lifted
    return lifted or (fund.halted and reading.epoch > fund.halt_epoch)


def _columns(fund: FundState) -> dict[str, Any]:
    marks, opened = fund.marks, fund.breach
    return {
        "nav": marks.nav if marks else None,
        "as_of": marks.as_of if marks else None,
        "peak": marks.peak if marks else None,
        "day_nav": marks.day_nav if marks else None,
        "week_nav": marks.week_nav if marks else None,
        "month_nav": marks.month_nav if marks else None,
        "halted": fund.halted,
        "halt_epoch": fund.halt_epoch,
        "breach_rule": opened.breach.rule if opened else None,
        "breach_code": opened.breach.code.value if opened else None,
        "breach_change": opened.breach.change if opened else None,
        "breach_limit": opened.breach.limit if opened else None,
        "breach_at": opened.at if opened else None,
        "halt_id": opened.halt_id if opened else None,
    }


def _from_row(row: sa.Row[Any]) -> FundState:
    state = FundState(row.fund_id, halted=row.halted, halt_epoch=row.halt_epoch)
    if row.nav is not None:
        state.marks = NavMarks(
            row.nav, row.as_of, row.peak, row.day_nav, row.week_nav, row.month_nav
        )
    if row.halt_id is not None:
        breach = Breach(
            row.breach_rule, DenyCode(row.breach_code), row.breach_change, row.breach_limit
        )
        state.breach = OpenBreach(breach, row.halt_id, row.breach_at)
    return state
