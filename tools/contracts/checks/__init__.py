"""The checks, one a file, in the order in which they run."""

from __future__ import annotations

from tools.contracts.check import Check
from tools.contracts.checks.broad_except import BROAD_EXCEPT
from tools.contracts.checks.concepts import PROTECTED_CONCEPTS
from tools.contracts.checks.cycles import NO_CYCLES
from tools.contracts.checks.dependencies import DECLARED_DEPENDENCIES
from tools.contracts.checks.direction import IMPORT_DIRECTION
from tools.contracts.checks.exhaustive import EXHAUSTIVE_LAYERS
from tools.contracts.checks.foundation import LEAN_FOUNDATION
from tools.contracts.checks.money import EXACT_MONEY
from tools.contracts.checks.private_names import PUBLIC_NAMES
from tools.contracts.checks.seams import INJECTED_SEAMS
from tools.contracts.checks.venue_door import VENUE_DOOR

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    EXHAUSTIVE_LAYERS,
    IMPORT_DIRECTION,
    PUBLIC_NAMES,
    NO_CYCLES,
    DECLARED_DEPENDENCIES,
    LEAN_FOUNDATION,
    PROTECTED_CONCEPTS,
    VENUE_DOOR,
    INJECTED_SEAMS,
    EXACT_MONEY,
    BROAD_EXCEPT,
)
