"""Envelopes: one in force per fund, every version kept, never loosened during a halt."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import RiskEnvelope
from mts1b_foundation.commands import EnvelopeUpdate
from mts1b_foundation.nats import RISK_ENVELOPE_SIGNED, RISK_ENVELOPE_UPDATED, with_fund
from mts1b_platform.clock import Clock
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.errors import EnvelopeLoosened, EnvelopeMissing, EnvelopeVersion

__all__ = ["LOOSER", "EnvelopeBook", "Looser", "Permit", "loosened"]


class Looser(Enum):
    """Say which way a field of an envelope permits more."""

    HIGHER = "higher, or none"
    MORE_MEMBERS = "more members"
    WHEN_TRUE = "true"
    WHEN_FALSE = "false"
    NEUTRAL = "limits nothing"


LOOSER: dict[str, Looser] = {
    "envelope_id": Looser.NEUTRAL,
    "fund_id": Looser.NEUTRAL,
    "nav_usd": Looser.HIGHER,
    "max_gross_exposure_pct": Looser.HIGHER,
    "max_net_exposure_pct": Looser.HIGHER,
    "max_position_pct": Looser.HIGHER,
    "max_position_usd": Looser.HIGHER,
    "max_sector_pct": Looser.HIGHER,
    "max_asset_class_pct": Looser.HIGHER,
    "max_country_pct": Looser.HIGHER,
    "daily_loss_halt_pct": Looser.HIGHER,
    "weekly_loss_halt_pct": Looser.HIGHER,
    "monthly_loss_halt_pct": Looser.HIGHER,
    "max_order_notional_usd": Looser.HIGHER,
    "max_order_qty": Looser.HIGHER,
    "allowed_brokers": Looser.MORE_MEMBERS,
    "allowed_order_types": Looser.MORE_MEMBERS,
    "allowed_asset_classes": Looser.MORE_MEMBERS,
    "enable_shorting": Looser.WHEN_TRUE,
    "max_short_fee_bps": Looser.HIGHER,
    "require_borrow_locate": Looser.WHEN_FALSE,
    "enable_synthetic_stop": Looser.WHEN_FALSE,
    "synthetic_stop_pct": Looser.HIGHER,
    "cro_veto_enabled": Looser.WHEN_FALSE,
    "cro_veto_confidence_threshold": Looser.HIGHER,
    "cro_veto_timeout_s": Looser.NEUTRAL,
    "version": Looser.NEUTRAL,
    "created_at": Looser.NEUTRAL,
    "notes": Looser.NEUTRAL,
}
"""For every field, which direction is looser. A test keeps the table complete."""


def _is_looser(direction: Looser, old: Any, new: Any) -> bool:
    match direction:
        case Looser.HIGHER:
            return old is not None and (new is None or new > old)
        case Looser.MORE_MEMBERS:
            return not set(new) <= set(old)
        case Looser.WHEN_TRUE:
            return bool(new) and not old
        case Looser.WHEN_FALSE:
            return bool(old) and not new
        case Looser.NEUTRAL:
            return False


def loosened(old: RiskEnvelope, new: RiskEnvelope) -> list[str]:
    """Return ``field: old -> new`` for every limit that ``new`` loosens."""
    return [
        f"{name}: {getattr(old, name)} -> {getattr(new, name)}"
        for name, direction in LOOSER.items()
        if _is_looser(direction, getattr(old, name), getattr(new, name))
    ]


Permit = Callable[[RiskEnvelope], None]


class EnvelopeBook:
    """Hold the envelopes in force; keep and publish every version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._current: dict[str, RiskEnvelope] = {}

    def find(self, fund_id: str) -> RiskEnvelope | None:
        """Return the envelope in force, or None."""
        return self._current.get(fund_id)

    def get(self, fund_id: str) -> RiskEnvelope:
        """Return the envelope in force.

        :raises EnvelopeMissing: when the fund has none.
        """
        envelope = self._current.get(fund_id)
        if envelope is None:
            known = ", ".join(sorted(self._current)) or "none"
            raise EnvelopeMissing(
                f"fund {fund_id!r} has no envelope (funds with one: {known}); "
                "add one under `funds` in mts.yaml, then restart the risk engine"
            )
        return envelope

    async def seed(self, tx: AsyncConnection, envelope: RiskEnvelope, *, halted: bool) -> None:
        """Take an envelope from the configuration.

        The first one of a fund is taken as it is; a later one counts when its version is the
        next; an older one yields to what is in force.

        :raises EnvelopeVersion: when limits were edited without raising the version.
        """
        current = self.find(envelope.fund_id)
        if current is None:
            await self._put(tx, envelope)
        elif envelope.version >= current.version:
            await self.update(tx, envelope, halted=halted)

    async def update(
        self,
        tx: AsyncConnection,
        envelope: RiskEnvelope,
        *,
        halted: bool,
        word: EnvelopeUpdate | None = None,
        permit: Permit | None = None,
    ) -> None:
        """Put the next version in force; the version in force, sent again, changes nothing.

        :param word: what an operator signed; it is told with the version.
        :param permit: called with the version in force; it raises where the next one may not be.
        :raises EnvelopeMissing: when the fund has no envelope to update.
        :raises EnvelopeVersion: when the version is not the one in force plus one.
        :raises EnvelopeLoosened: when the fund is halted and a limit would loosen.
        """
        current = self.get(envelope.fund_id)
        if envelope == current:
            return
        if envelope.version != current.version + 1:
            raise EnvelopeVersion(
                f"envelope of fund {envelope.fund_id} is at version {current.version}, the update "
                f"says {envelope.version}; re-read it and send version {current.version + 1}"
            )
        if permit is not None:
            permit(current)
        looser = loosened(current, envelope) if halted else []
        if looser:
            raise EnvelopeLoosened(
                f"fund {envelope.fund_id} is halted and the update loosens {'; '.join(looser)}; "
                "resume the fund first, or send the tightening fields alone"
            )
        await self._put(tx, envelope)
        if word is not None and word.signature:
            await self._store.outbox.add(
                tx,
                event_id=derive_id("evt", "signed", envelope.fund_id, str(envelope.version)),
                subject=with_fund(RISK_ENVELOPE_SIGNED, envelope.fund_id),
                payload=word.model_dump_json().encode(),
            )

    async def take_over(self, tx: AsyncConnection, envelope: RiskEnvelope) -> bool:
        """Put limits that were in force in force again; return whether they were forgotten.

        They were permitted when they came. A fund without any is new, and has forgotten nothing.
        """
        current = self.find(envelope.fund_id)
        if current is None or current.version >= envelope.version:
            return False
        await self._put(tx, envelope)
        return True

    async def _put(self, tx: AsyncConnection, envelope: RiskEnvelope) -> None:
        body = envelope.model_dump_json()
        await tx.execute(
            tables.envelopes.insert().values(
                fund_id=envelope.fund_id,
                version=envelope.version,
                recorded_at=self._clock.now(),
                body=body,
            )
        )
        await self._store.outbox.add(
            tx,
            event_id=derive_id("evt", "envelope", envelope.fund_id, str(envelope.version)),
            subject=with_fund(RISK_ENVELOPE_UPDATED, envelope.fund_id),
            payload=body.encode(),
        )
        self._current[envelope.fund_id] = envelope

    async def history(self, fund_id: str) -> list[RiskEnvelope]:
        """Return every version of a fund's envelope, oldest first."""
        table = tables.envelopes
        query = sa.select(table.c.body).where(table.c.fund_id == fund_id).order_by(table.c.version)
        async with self._store.read() as connection:
            rows = await connection.execute(query)
            return [RiskEnvelope.model_validate_json(row.body) for row in rows]

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by the latest version of every fund."""
        query = sa.select(tables.envelopes).order_by(tables.envelopes.c.version)
        self._current = {
            row.fund_id: RiskEnvelope.model_validate_json(row.body)
            for row in await tx.execute(query)
        }
