"""The gates, one file each, all of one shape: a name, a card, ``check``."""

from mts1b_foundation.protocols import RiskGate

from mts1b_riskengine.gates import (
    cro_veto,
    drawdown_halt,
    idempotency,
    position_risk,
    schema,
    short_side,
    static,
)
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.cro_veto import CroOpinion, CroVeto, CroVetoGate
from mts1b_riskengine.gates.drawdown_halt import DrawdownHaltGate
from mts1b_riskengine.gates.idempotency import IdempotencyGate
from mts1b_riskengine.gates.position_risk import PositionRiskGate
from mts1b_riskengine.gates.schema import SchemaGate
from mts1b_riskengine.gates.short_side import ShortSideGate
from mts1b_riskengine.gates.static import StaticGate

__all__ = [
    "GATE_TABLE",
    "CroOpinion",
    "CroVeto",
    "CroVetoGate",
    "DrawdownHaltGate",
    "GateCard",
    "IdempotencyGate",
    "PositionRiskGate",
    "SchemaGate",
    "ShortSideGate",
    "StaticGate",
    "default_gates",
]

GATE_TABLE: tuple[GateCard, ...] = (
    idempotency.CARD,
    schema.CARD,
    static.CARD,
    position_risk.CARD,
    drawdown_halt.CARD,
    short_side.CARD,
    cro_veto.CARD,
)
"""The built-in gates in the order in which they are asked."""


def default_gates(*, cro: CroVeto | None = None) -> tuple[RiskGate, ...]:
    """Return the seven documented gates, in order."""
    return (
        IdempotencyGate(),
        SchemaGate(),
        StaticGate(),
        PositionRiskGate(),
        DrawdownHaltGate(),
        ShortSideGate(),
        CroVetoGate(cro),
    )
