"""The last figures, in ``docs/figures.json``: campaigns write them, the page shows them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["FIGURES", "Figure", "read", "record"]

FIGURES = Path("docs") / "figures.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """What one campaign saw.

    :ivar measured: the day, as an ISO date.
    """

    name: str
    measured: str
    command: str
    text: str


def read(root: Path) -> dict[str, Figure]:
    """Return the figures by name; none where there is no file."""
    path = root / FIGURES
    if not path.exists():
        return {}
    data: Mapping[str, Mapping[str, str]] = json.loads(path.read_text())
    return {name: Figure(name=name, **entry) for name, entry in data.items()}


def record(root: Path, name: str, *, text: str, command: str, measured: str) -> None:
    """Write one figure; others stay.

    :raises ValueError: for a text of more than one line, or a day that is none.
    """
    if "\n" in text or "|" in text or not text.strip():
        raise ValueError(f"a figure is one line without '|', not {text!r}")
    day = date.fromisoformat(measured).isoformat()
    kept: dict[str, Any] = {
        known: {"measured": f.measured, "command": f.command, "text": f.text}
        for known, f in read(root).items()
    }
    kept[name] = {"measured": day, "command": command, "text": text}
    path = root / FIGURES
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n")
    os.replace(partial, path)
