"""An operator who tightens and loosens the limits of funds while they trade."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from mts1b_foundation.commands import EnvelopeQuery, EnvelopeReply, EnvelopeUpdate
from mts1b_foundation.nats import CMD_RISK_ENVELOPE_GET, CMD_RISK_ENVELOPE_UPDATE
from mts1b_foundation.risk import RiskEnvelope
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.signing import KeyRing
from mts1b_riskengine.signed_envelopes import sign_envelope

from mts1b_oms.simulation.checks import ON_ITS_WAY_S
from mts1b_oms.simulation.desk import CAP_UNITS, LOWEST, OPERATOR, OWNERS, PRICE

if TYPE_CHECKING:
    from mts1b_oms.simulation.world import World

__all__ = ["Limits"]

_LEAST_UNITS = 15
_ANSWERS_WITHIN_S = 2.0


class Limits:
    """Change the position cap of a fund now and then, and know which caps may be in force."""

    def __init__(self, world: World, keys: KeyRing) -> None:
        self._world = world
        self._keys = keys
        self._bus = world.net.bus("operator")
        funds = {fund for fund, _ in OWNERS}
        self._may_hold = {fund: {CAP_UNITS: float("inf")} for fund in funds}
        """Units that each fund may be held to, and until when by the time of the loop."""

    def cap_of(self, fund: str) -> Decimal:
        """Return the widest cap by which an order that leaves now may have been judged, units.

        At the lowest price: which one counted is not known here.
        """
        now = self._world.loop.time()
        units = max(units for units, ends in self._may_hold[fund].items() if now <= ends)
        return units * PRICE / LOWEST

    async def change(self) -> None:
        """Now and then change a fund's cap, as long as the world is not quiet."""
        world = self._world
        while not world.quiet:
            await asyncio.sleep(1.0)
            per_second = world.net.faults.limits_per_min / 60.0
            if not world.quiet and world.net.takes(per_second, "limits changed in flight"):
                fund, _ = OWNERS[world.rng.integer(0, len(OWNERS) - 1)]
                await self._change(fund)

    async def _change(self, fund: str) -> None:
        world = self._world
        try:
            current = await self._read(fund)
            units = Decimal(world.rng.integer(_LEAST_UNITS, int(CAP_UNITS)))
            update = sign_envelope(
                self._keys,
                current.with_(max_position_usd=units * PRICE, version=current.version + 1),
                signed_by=OPERATOR,
                reason="the wind has turned",
                requested_at=world.loop.clock.now(),
            )
            self._may_hold[fund][units] = float("inf")
            self._hold_to(fund, await self._update(update))
        except BusError as error:
            world.counters.hit(f"limits: {type(error).__name__}")

    async def _read(self, fund: str) -> RiskEnvelope:
        request = EnvelopeQuery(fund_id=fund).model_dump_json().encode()
        data = await self._bus.request(CMD_RISK_ENVELOPE_GET, request, timeout_s=_ANSWERS_WITHIN_S)
        current = EnvelopeReply.model_validate_json(data).envelope
        self._hold_to(fund, current)
        return current

    async def _update(self, update: EnvelopeUpdate) -> RiskEnvelope:
        request = update.model_dump_json().encode()
        data = await self._bus.request(
            CMD_RISK_ENVELOPE_UPDATE, request, timeout_s=_ANSWERS_WITHIN_S
        )
        self._world.counters.hit("limits: in force")
        return EnvelopeReply.model_validate_json(data).envelope

    def _hold_to(self, fund: str, envelope: RiskEnvelope) -> None:
        """Take one cap as that in force: by another one orders are on their way for a while yet."""
        units = (envelope.max_position_usd or Decimal(0)) / PRICE
        self._world.trace.record(self._world.loop.time(), "cap", fund, units, envelope.version)
        soon, may_hold = self._world.loop.time() + ON_ITS_WAY_S, self._may_hold[fund]
        for other, ends in may_hold.items():
            may_hold[other] = min(ends, soon)
        may_hold[units] = float("inf")
