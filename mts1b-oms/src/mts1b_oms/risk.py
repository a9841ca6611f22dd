"""Ask the risk engine, and tell silence from failure."""

from __future__ import annotations

from mts1b_foundation.orders import Order
from mts1b_foundation.risk import RiskDecision
from mts1b_platform.eventbus.port import BusError, RemoteError
from mts1b_riskengine.client import RiskEngineClient

from mts1b_oms.errors import RiskUnavailable

__all__ = ["RemoteRisk"]


class RemoteRisk:
    """The risk engine over the bus, as the order service asks it."""

    def __init__(self, client: RiskEngineClient) -> None:
        self._client = client

    async def check(
        self,
        order: Order,
        *,
        lease_id: str = "",
        amends: str = "",
        parent: Order | None = None,
    ) -> RiskDecision:
        """Return the decision on ``order``, to be sent under ``lease_id``, for ``amends``.

        :raises RiskUnavailable: when there is no answer; with ``retry`` False when the engine
            failed on this order, which asking again would not change.
        """
        try:
            return await self._client.check_order(
                order, lease_id=lease_id, amends=amends, parent=parent
            )
        except RemoteError as error:
            raise RiskUnavailable(f"the risk engine failed: {error}", retry=False) from error
        except BusError as error:
            raise RiskUnavailable(f"the risk engine gave no answer ({error})") from error
