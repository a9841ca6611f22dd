"""The tables that the checks read, in one value, so that a test can plant its own."""

from __future__ import annotations

from dataclasses import dataclass

from tools.contracts.layers import LAYERS, Row
from tools.contracts.tables.allowances import (
    CONCEPT_ALLOWANCES,
    DEPENDENCY_ALLOWANCES,
    REACH_ALLOWANCES,
    ConceptAllowance,
    DependencyAllowance,
    ReachAllowance,
)
from tools.contracts.tables.boundaries import EXCEPT_BOUNDARIES, SEAM_MODULES, VENUE_DOOR
from tools.contracts.tables.concepts import CONCEPTS, Concept
from tools.contracts.tables.money import MONEY_PACKAGES

__all__ = ["Policy", "default_policy"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything that is decided by a table and not by a check."""

    layers: tuple[Row, ...] = LAYERS
    concepts: tuple[Concept, ...] = CONCEPTS
    concept_allowances: tuple[ConceptAllowance, ...] = CONCEPT_ALLOWANCES
    dependency_allowances: tuple[DependencyAllowance, ...] = DEPENDENCY_ALLOWANCES
    reach_allowances: tuple[ReachAllowance, ...] = REACH_ALLOWANCES
    except_boundaries: frozenset[str] = EXCEPT_BOUNDARIES
    seam_modules: frozenset[str] = SEAM_MODULES
    venue_door: str = VENUE_DOOR
    money_packages: frozenset[str] = MONEY_PACKAGES
    stale_allowances: bool = True

    def row_of(self, import_name: str) -> Row | None:
        """Return the row of a package by its import name, or None for a foreign one."""
        return next((row for row in self.layers if row.import_name == import_name), None)


def default_policy() -> Policy:
    """Return the tables of this workspace."""
    return Policy()
