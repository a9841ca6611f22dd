"""One result everywhere: the same strategy simulated and traded, compared bar by bar."""

from mts1b_research.parity.compare import Parity, compare
from mts1b_research.parity.comparison import (
    ASPECTS,
    DEFAULT_POLICY,
    Comparison,
    Finding,
    compare_records,
)
from mts1b_research.parity.record import Record, Refusal
from mts1b_research.parity.simulated import decision_table

__all__ = [
    "ASPECTS",
    "DEFAULT_POLICY",
    "Comparison",
    "Finding",
    "Parity",
    "Record",
    "Refusal",
    "compare",
    "compare_records",
    "decision_table",
]
