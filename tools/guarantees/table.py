"""The rows of the page."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Promise", "Scenario"]


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    :ivar tests: ``module::test`` of tests that exist; a module's file name is unique.
    :ivar commands: commands that show more than the tests do.
    :ivar figures: names in ``docs/figures.json``.
    :ivar gaps: what is not covered.
    """

    number: int
    title: str
    says: str
    gaps: str
    tests: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario of the fault catalogue.

    Tests whose name carries the id (``test_a3_...``) count by themselves, except for the letters I
    and L, which invariants use too.

    :ivar counters: counters of the simulator that show that a seed drove it.
    """

    id: str
    fault: str
    tests: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
