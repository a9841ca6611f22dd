"""What a strategy may use: brokers, accounts, types, classes, senders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_foundation.limits import Permission, RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts

__all__ = ["CARD", "PermissionsGate"]

CARD = GateCard(
    gate="permissions",
    asks="may this strategy use this broker, account, order type, class and sender?",
    codes=(DenyCode.NOT_PERMITTED,),
    inputs="the order, the instrument, limits.permissions",
    on_failure="a strategy that is not listed may do nothing new; an unknown class denies",
    source="SEC 15c3-5(c)(2)(ii)-(iii); RTS 6 Art. 15(1), (4)",
    controls=(3,),
    facts=("instrument",),
    limits=("permissions",),
    reducing=False,
)


_List = tuple[str, Callable[[Order, InstrumentFacts], object], Sequence[object]]
"""What is judged, how an order says it, what is allowed."""


def _lists_of(permission: Permission) -> tuple[_List, ...]:
    """Return the lists that bind; an empty one does not."""
    lists: tuple[_List, ...] = (
        ("broker", lambda order, facts: order.broker, permission.brokers),
        ("account", lambda order, facts: order.account or "", permission.accounts),
        ("order type", lambda order, facts: order.order_type, permission.order_types),
        ("asset class", lambda order, facts: facts.asset_class, permission.asset_classes),
        ("sender", lambda order, facts: order.actor, permission.actors),
    )
    return tuple(one for one in lists if one[2])


@dataclass(frozen=True)
class PermissionsGate(InlineGate):
    """Deny what a strategy's permission does not list."""

    limits: RiskLimits
    name: str = "permissions"
    _lists: dict[str, tuple[_List, ...]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for strategy_id, permission in self.limits.permissions.items():
            self._lists[strategy_id] = _lists_of(permission)

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order within its strategy's permission."""
        if not self._lists or reduces(context):
            return True
        lists = self._lists.get(order.strategy_id)
        if lists is None:
            return context.reject(
                DenyCode.NOT_PERMITTED, "no permission names the strategy", value=order.strategy_id
            )
        facts = context["instrument"]
        if not isinstance(facts, InstrumentFacts):
            return self._deny("instrument", None, (), order, context)
        for word, value_of, allowed in lists:
            value = value_of(order, facts)
            if value not in allowed:
                return self._deny(word, value, allowed, order, context)
        return True

    def _deny(
        self,
        word: str,
        value: object,
        allowed: Sequence[object],
        order: Order,
        context: RiskContext,
    ) -> bool:
        return context.reject(
            DenyCode.NOT_PERMITTED,
            f"{word} is not permitted to {order.strategy_id}",
            limit=", ".join(str(item) for item in allowed),
            value=value,
        )
