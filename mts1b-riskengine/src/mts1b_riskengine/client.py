"""The risk engine over the bus: the same decisions and errors as in process."""

from __future__ import annotations

from typing import Protocol, TypeVar

from mts1b_foundation import (
    FrozenModel,
    Order,
    RiskDecision,
    RiskEnvelope,
    SoftBlock,
    SoftOverride,
)
from mts1b_foundation.commands import (
    CheckOrder,
    EnvelopeQuery,
    EnvelopeReply,
    EnvelopeUpdate,
    OverrideReply,
    OverridesQuery,
)
from mts1b_foundation.nats import (
    CMD_RISK_BLOCKS,
    CMD_RISK_CHECK,
    CMD_RISK_ENVELOPE_GET,
    CMD_RISK_ENVELOPE_UPDATE,
    CMD_RISK_OVERRIDE,
)
from mts1b_platform.eventbus.port import EventBus, RemoteError

from mts1b_riskengine.errors import (
    EnvelopeConflict,
    EnvelopeLoosened,
    EnvelopeMissing,
    EnvelopeUnsigned,
    EnvelopeVersion,
    OverrideRefused,
    RiskEngineError,
)

__all__ = ["RiskEngineClient"]

Reply = TypeVar("Reply", bound=FrozenModel)
_ERRORS: dict[str, type[RiskEngineError]] = {
    kind.code: kind
    for kind in (
        EnvelopeLoosened,
        EnvelopeMissing,
        EnvelopeUnsigned,
        EnvelopeVersion,
        OverrideRefused,
    )
}


class HasBus(Protocol):
    """Anything with a bus, such as a service's context."""

    @property
    def bus(self) -> EventBus:
        """Return the bus."""
        ...


class RiskEngineClient:
    """Ask the running risk engine.

    :param ctx: a service context; or give ``bus``.
    :param timeout_s: how long one request may take. A time-out says nothing about the decision:
        ask again, the same order gets the same answer.
    """

    def __init__(
        self, ctx: HasBus | None = None, *, bus: EventBus | None = None, timeout_s: float = 2.0
    ) -> None:
        found = bus if ctx is None else ctx.bus
        if found is None:
            raise ValueError("RiskEngineClient needs a service context or a bus")
        self._bus = found
        self._timeout_s = timeout_s

    async def check_order(
        self,
        order: Order,
        envelope: RiskEnvelope | None = None,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> RiskDecision:
        """Return the decision on ``order``. It does not submit.

        An approval reserves exposure until the OMS reports the order as over.

        :param envelope: the limits that the caller believes in; they must be those in force.
        :param lease_id: the lease that the order will be sent under; empty where none is needed.
        :param amends: the open order that ``order`` would take the place of.
        :param parent: the order's parent as the OMS has it on record.
        :raises EnvelopeConflict: when they are not.
        :raises NoResponders, RequestTimeout: when the engine does not answer.
        """
        if envelope is not None:
            await self._expect(envelope)
        request = CheckOrder(order=order, lease_id=lease_id, amends=amends, parent=parent)
        return await self._call(CMD_RISK_CHECK, request, RiskDecision)

    async def _expect(self, envelope: RiskEnvelope) -> None:
        current = await self.get_envelope(fund_id=envelope.fund_id)
        if current != envelope:
            raise EnvelopeConflict(
                f"fund {envelope.fund_id} is under envelope version {current.version}, the caller "
                f"holds version {envelope.version} with other limits; re-read it"
            )

    async def get_envelope(self, *, fund_id: str) -> RiskEnvelope:
        """Return the envelope in force.

        :raises EnvelopeMissing: when the fund has none.
        """
        query = EnvelopeQuery(fund_id=fund_id)
        return (await self._call(CMD_RISK_ENVELOPE_GET, query, EnvelopeReply)).envelope

    async def update_envelope(self, env: RiskEnvelope | EnvelopeUpdate) -> RiskEnvelope:
        """Put ``env`` in force; its version is the one in force plus one.

        One that loosens a limit is signed by an operator first, see :func:`sign_envelope`.

        :raises EnvelopeVersion: when it is not.
        :raises EnvelopeUnsigned: when a limit would loosen without an operator's signature.
        :raises EnvelopeLoosened: when the fund is halted and a limit would loosen.
        """
        update = env if isinstance(env, EnvelopeUpdate) else EnvelopeUpdate(envelope=env)
        return (await self._call(CMD_RISK_ENVELOPE_UPDATE, update, EnvelopeReply)).envelope

    async def blocks(self, *, fund_id: str | None = None) -> tuple[SoftBlock, ...]:
        """Return the soft blocks that wait for operators, or for their order, oldest first."""
        query = OverridesQuery(fund_id=fund_id)
        return (await self._call(CMD_RISK_BLOCKS, query, OverrideReply)).blocks

    async def override(self, override: SoftOverride) -> SoftBlock:
        """Let one order with the block's economics pass; return the block as it is now.

        :raises OverrideRefused: naming what does not hold.
        """
        return (await self._call(CMD_RISK_OVERRIDE, override, OverrideReply)).blocks[0]

    async def _call(self, subject: str, request: FrozenModel, reply: type[Reply]) -> Reply:
        data = request.model_dump_json().encode()
        try:
            answer = await self._bus.request(subject, data, timeout_s=self._timeout_s)
        except RemoteError as error:
            kind = _ERRORS.get(error.code)
            if kind is None:
                raise
            raise kind(error.message) from error
        return reply.model_validate_json(answer)
