"""Read the defects of the exemplar, and plant one."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

__all__ = ["Mutant", "plant", "read_mutants"]

_PARTS = ("pluginsdk_books.py", "pluginsdk_account.py", "pluginsdk_exemplar.py")
_TABLE = Path(__file__).with_name("pluginsdk_mutants.txt")


@dataclass(frozen=True)
class Mutant:
    """One defect: what is changed in the exemplar's text, and which cards must find it."""

    name: str
    traits: str
    finds: frozenset[str]
    changes: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def read_mutants() -> list[Mutant]:
    """Return every defect of the table."""
    lines = [line for line in _TABLE.read_text().splitlines() if not line.startswith("#")]
    return [_mutant(block) for block in re.split(r"\n\n+", "\n".join(lines).strip("\n"))]


def _mutant(block: str) -> Mutant:
    head, changes = re.match(r"((?:[^-].*\n)+)((?:.|\n)*)", block + "\n").groups()  # type: ignore[union-attr]
    name, _, rest = head.partition("\n")
    traits = re.search(r"^traits: (\S+)", rest, re.M)
    finds = re.findall(r"B\d+", rest)
    places = [_change(place) for place in re.split(r"(?m)^@\n", changes)]
    return Mutant(name, traits[1] if traits else "plain", frozenset(finds), tuple(places))


def _change(place: str) -> tuple[str, str]:
    lines = place.splitlines(keepends=True)
    kept = {sign: "".join(line[1:] for line in lines if line[0] == sign) for sign in "-+"}
    return kept["-"], kept["+"]


def _whole() -> str:
    """Return the exemplar's three files as one, without what they import of each other."""
    texts = [Path(__file__).with_name(name).read_text() for name in _PARTS]
    lines = [line for text in texts for line in text.splitlines(keepends=True)]
    dropped = ("from __future__ ", "from pluginsdk_")
    return "from __future__ import annotations\n" + "".join(
        line for line in lines if not line.startswith(dropped)
    )


def plant(mutant: Mutant) -> ModuleType:
    """Return the exemplar as a module, with one defect in it."""
    text = _whole()
    for right, wrong in mutant.changes:
        assert text.count(right) == 1, f"{mutant.name}: not one place has\n{right}"
        text = text.replace(right, wrong)
    module = ModuleType("mutated_exemplar")
    sys.modules[module.__name__] = module  # its dataclasses look themselves up
    exec(compile(text, f"<{mutant.name}>", "exec"), module.__dict__)
    return module
