"""The gates, one file each, all of one shape: a name, a card, ``check``."""

from collections.abc import Callable

from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.protocols import RiskGate

from mts1b_riskengine.gates import (
    buying_power,
    cro_veto,
    drawdown_halt,
    duplicate_economics,
    firm_capital,
    group_exposure,
    idempotency,
    increments,
    mandate,
    message_limit,
    mode_tag,
    order_life,
    order_value,
    order_volume,
    parent_cap,
    permissions,
    position_risk,
    price_collar,
    reference,
    repeat_throttle,
    restricted,
    schema,
    self_match,
    session,
    short_side,
    static,
    trading_state,
    unit_safety,
)
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.cro_veto import CroOpinion, CroVeto, CroVetoGate
from mts1b_riskengine.gates.drawdown_halt import DrawdownHaltGate
from mts1b_riskengine.gates.idempotency import IdempotencyGate
from mts1b_riskengine.gates.mandate import MandateGate
from mts1b_riskengine.gates.position_risk import PositionRiskGate
from mts1b_riskengine.gates.schema import SchemaGate
from mts1b_riskengine.gates.short_side import ShortSideGate
from mts1b_riskengine.gates.static import StaticGate
from mts1b_riskengine.mandates import MandateTable

__all__ = [
    "GATE_TABLE",
    "CroOpinion",
    "CroVeto",
    "CroVetoGate",
    "DrawdownHaltGate",
    "GateCard",
    "IdempotencyGate",
    "MandateGate",
    "PositionRiskGate",
    "SchemaGate",
    "ShortSideGate",
    "StaticGate",
    "card_of",
    "default_gates",
    "is_active",
]

GATE_TABLE: tuple[GateCard, ...] = (
    idempotency.CARD,
    schema.CARD,
    mode_tag.CARD,
    static.CARD,
    permissions.CARD,
    mandate.CARD,
    restricted.CARD,
    trading_state.CARD,
    session.CARD,
    order_life.CARD,
    reference.CARD,
    price_collar.CARD,
    increments.CARD,
    unit_safety.CARD,
    order_value.CARD,
    order_volume.CARD,
    parent_cap.CARD,
    position_risk.CARD,
    group_exposure.CARD,
    firm_capital.CARD,
    buying_power.CARD,
    self_match.CARD,
    drawdown_halt.CARD,
    short_side.CARD,
    message_limit.CARD,
    duplicate_economics.CARD,
    repeat_throttle.CARD,
    cro_veto.CARD,
)
"""The built-in gates in the order in which they are asked."""

_BY_NAME = {card.gate: card for card in GATE_TABLE}
_LIMITED: dict[str, Callable[[RiskLimits], RiskGate]] = {
    "mode_tag": mode_tag.ModeTagGate,
    "permissions": permissions.PermissionsGate,
    "restricted": restricted.RestrictedGate,
    "trading_state": trading_state.TradingStateGate,
    "session": session.SessionGate,
    "order_life": order_life.OrderLifeGate,
    "reference": reference.ReferenceGate,
    "price_collar": price_collar.PriceCollarGate,
    "increments": increments.IncrementsGate,
    "unit_safety": unit_safety.UnitSafetyGate,
    "order_value": order_value.OrderValueGate,
    "order_volume": order_volume.OrderVolumeGate,
    "parent_cap": parent_cap.ParentCapGate,
    "group_exposure": group_exposure.GroupExposureGate,
    "firm_capital": firm_capital.FirmCapitalGate,
    "buying_power": buying_power.BuyingPowerGate,
    "self_match": self_match.SelfMatchGate,
    "message_limit": message_limit.MessageLimitGate,
    "duplicate_economics": duplicate_economics.DuplicateEconomicsGate,
    "repeat_throttle": repeat_throttle.RepeatThrottleGate,
}


def card_of(name: str) -> GateCard | None:
    """Return the card of a built-in gate, or None."""
    return _BY_NAME.get(name)


def is_active(card: GateCard, limits: RiskLimits, mandates: MandateTable | None = None) -> bool:
    """Return whether a gate is asked under these limits and mandates."""
    if card is mandate.CARD:
        return mandates is not None and bool(mandates.required or mandates.classes)
    return card.is_on(limits)


def default_gates(
    *,
    cro: CroVeto | None = None,
    limits: RiskLimits | None = None,
    mandates: MandateTable | None = None,
) -> tuple[RiskGate, ...]:
    """Return the seven documented gates and those that limits and mandates switch on, in order."""
    chosen = limits or RiskLimits()
    always: dict[str, Callable[[], RiskGate]] = {
        "idempotency": IdempotencyGate,
        "schema": SchemaGate,
        "static": StaticGate,
        "mandate": lambda: MandateGate(mandates or MandateTable()),
        "position_risk": PositionRiskGate,
        "drawdown_halt": DrawdownHaltGate,
        "short_side": ShortSideGate,
        "cro_veto": lambda: CroVetoGate(cro),
    }
    return tuple(
        always[card.gate]() if card.gate in always else _LIMITED[card.gate](chosen)
        for card in GATE_TABLE
        if is_active(card, chosen, mandates)
    )
