"""Decide whether an order may leave.

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_riskengine.approval import ApprovalMint, UsedApprovals, verify_approval
    from mts1b_riskengine.book import RiskBook
    from mts1b_riskengine.borrow import BorrowDesk, BorrowQuote, FixedBorrow
    from mts1b_riskengine.client import RiskEngineClient
    from mts1b_riskengine.engine import Judgement, RiskEngine
    from mts1b_riskengine.errors import (
        ApprovalInvalid,
        EnvelopeConflict,
        EnvelopeLoosened,
        EnvelopeMissing,
        EnvelopeUnsigned,
        EnvelopeVersion,
        GateRefused,
        OverrideRefused,
        ReservationInUse,
        RiskEngineError,
    )
    from mts1b_riskengine.gates import GATE_TABLE, CroOpinion, CroVeto, GateCard, default_gates
    from mts1b_riskengine.halts import HaltReading, HaltRecord, HaltSource
    from mts1b_riskengine.instruments import InstrumentTable
    from mts1b_riskengine.mandates import MandateTable, mandates_of
    from mts1b_riskengine.overrides import prove_override, sign_override
    from mts1b_riskengine.pipeline import GatePipeline, GateRun
    from mts1b_riskengine.policy import Absence, RiskPolicy
    from mts1b_riskengine.signed_envelopes import sign_envelope
    from mts1b_riskengine.tables import SCHEMA_VERSION, metadata

__all__ = [
    "GATE_TABLE",
    "SCHEMA_VERSION",
    "Absence",
    "ApprovalInvalid",
    "ApprovalMint",
    "BorrowDesk",
    "BorrowQuote",
    "CroOpinion",
    "CroVeto",
    "EnvelopeConflict",
    "EnvelopeLoosened",
    "EnvelopeMissing",
    "EnvelopeUnsigned",
    "EnvelopeVersion",
    "FixedBorrow",
    "GateCard",
    "GatePipeline",
    "GateRefused",
    "GateRun",
    "HaltReading",
    "HaltRecord",
    "HaltSource",
    "InstrumentTable",
    "Judgement",
    "MandateTable",
    "OverrideRefused",
    "ReservationInUse",
    "RiskBook",
    "RiskEngine",
    "RiskEngineClient",
    "RiskEngineError",
    "RiskPolicy",
    "UsedApprovals",
    "default_gates",
    "mandates_of",
    "metadata",
    "prove_override",
    "sign_envelope",
    "sign_override",
    "verify_approval",
]

_HOMES = {
    "GATE_TABLE": "gates",
    "SCHEMA_VERSION": "tables",
    "Absence": "policy",
    "ApprovalInvalid": "errors",
    "ApprovalMint": "approval",
    "BorrowDesk": "borrow",
    "BorrowQuote": "borrow",
    "CroOpinion": "gates",
    "CroVeto": "gates",
    "EnvelopeConflict": "errors",
    "EnvelopeLoosened": "errors",
    "EnvelopeMissing": "errors",
    "EnvelopeUnsigned": "errors",
    "EnvelopeVersion": "errors",
    "FixedBorrow": "borrow",
    "GateCard": "gates",
    "GatePipeline": "pipeline",
    "GateRefused": "errors",
    "GateRun": "pipeline",
    "HaltReading": "halts",
    "HaltRecord": "halts",
    "HaltSource": "halts",
    "InstrumentTable": "instruments",
    "Judgement": "engine",
    "MandateTable": "mandates",
    "OverrideRefused": "errors",
    "ReservationInUse": "errors",
    "RiskBook": "book",
    "RiskEngine": "engine",
    "RiskEngineClient": "client",
    "RiskEngineError": "errors",
    "RiskPolicy": "policy",
    "UsedApprovals": "approval",
    "default_gates": "gates",
    "mandates_of": "mandates",
    "metadata": "tables",
    "prove_override": "overrides",
    "sign_envelope": "signed_envelopes",
    "sign_override": "overrides",
    "verify_approval": "approval",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mts1b_riskengine.{_HOMES[name]}"), name)
