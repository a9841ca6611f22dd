"""Decide whether an order may leave."""

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
