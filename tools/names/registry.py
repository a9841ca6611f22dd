"""Names of subjects, enumeration values and fields, in use and retired.

A name that meant one thing in an old message, an old store or an old configuration must never mean
another: a flag that was used again ruined a firm in 45 minutes (SEC release 34-70694, 2013). So
each name stays in ``names.txt`` for ever, and one that is gone from the code is marked there.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

import mts1b_foundation
from mts1b_foundation.nats import SUBJECTS
from mts1b_foundation.schema import all_models

__all__ = ["REGISTRY", "NamesBroken", "check", "current_names", "read", "renewed"]

REGISTRY = Path(__file__).with_name("names.txt")
_RETIRED = "retired"


class NamesBroken(Exception):
    """A retired name is used again, or the registry is not up to date."""


def current_names() -> frozenset[str]:
    """Return every name that the foundation puts on the wire or on record."""
    names = {f"subject {spec}" for spec in SUBJECTS}
    for model, kind in all_models().items():
        names |= {f"field {model}.{field}" for field in kind.model_fields}
    for kind_of_value in _enumerations():
        names |= {f"value {kind_of_value.__name__}.{item.value}" for item in kind_of_value}
    return frozenset(names)


def _enumerations() -> Iterable[type[StrEnum]]:
    for info in pkgutil.walk_packages(mts1b_foundation.__path__, "mts1b_foundation."):
        if info.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum:
                yield value


def read(path: Path = REGISTRY) -> dict[str, bool]:
    """Return the names on record; True for those that are retired."""
    known: dict[str, bool] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, mark = line.partition("\t")
        known[name] = mark == _RETIRED
    return known


def check(current: Iterable[str], known: Mapping[str, bool]) -> None:
    """Compare the code with the registry.

    :raises NamesBroken: for a retired name that is used again, which nothing but another name
        mends; for a new one that is not on record; for one that is gone and not marked.
    """
    now = set(current)
    again = sorted(name for name in now if known.get(name))
    if again:
        raise NamesBroken(
            f"retired and used again: {', '.join(again)}; old records still mean the old thing by "
            "it, so take another name"
        )
    left = sorted(name for name, retired in known.items() if not retired and name not in now)
    if now - set(known) or left:
        changed = ", ".join([*sorted(now - set(known)), *left])
        raise NamesBroken(
            f"not on record as they are: {changed}; run python -m tools.names --write"
        )


def renewed(current: Iterable[str], known: Mapping[str, bool]) -> str:
    """Return the registry with new names added and missing ones marked; nothing is taken out.

    :raises NamesBroken: for a retired name that is used again.
    """
    now = set(current)
    marks = {name: retired or name not in now for name, retired in known.items()}
    marks |= dict.fromkeys(now - set(known), False)
    check(now, marks)
    lines = [f"{name}\t{_RETIRED}" if marks[name] else name for name in sorted(marks)]
    return "\n".join(lines) + "\n"
