"""What a check is: a name, one sentence, and a function from a project to violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools.contracts.outcome import Violation
from tools.contracts.project import Project

__all__ = ["Check"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule of the architecture.

    :param rule: the name in messages.
    :param says: what holds everywhere, in one sentence.
    :param find: yields what breaks it.
    :param marker: the inline marker that lets a line pass, if there is one.
    """

    rule: str
    says: str
    find: Callable[[Project], Iterable[Violation]]
    marker: str | None = None
