"""Write the page from what ``mts config schema`` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from mts1b_foundation.limits import SymbolLimits
from mts1b_platform.config.show import described

from tools.settings.meanings import MEANINGS, TITLES

__all__ = ["PAGE", "Setting", "render", "settings"]

PAGE = "docs/settings.md"
_LINE = re.compile(
    r"(?P<key>\S+) \((?P<kind>.*), (?P<default>required|optional|default .*?)\)(?P<meaning>.*)"
)
_HEAD = """# Settings

One file, `MTS_HOME/mts.yaml`, for all services. `mts config check` reads it and names what is
wrong, `mts config show` prints what is in force. A variable of the environment wins over the file:
`MTS_RISK__TIMEOUT_S=3` is `risk.timeout_s`. This page is what `mts config schema` prints, with
the fields of a fund and of a symbol explained; `python -m tools.settings --write` makes it.

Units are in the names: `_pct` is a fraction (0.05 is 5 %), `_bps` basis points, `_s` seconds, `_ms`
milliseconds, `_usd` US dollars. Money may be written as text, so that no
digit is lost. `[]` stands for each entry of a list, `NAME` for a name of your own. *Optional* is
empty unless the meaning says otherwise. A limit with the default `null` is off.
"""
_BY_SYMBOL = "limits.symbols"
_COLUMNS = "| setting | kind | default | meaning |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Setting:
    """One line of the schema."""

    key: str
    kind: str
    default: str
    meaning: str

    @property
    def section(self) -> str:
        """Return the first part of the key."""
        return re.split(r"[.\[]", self.key)[0]


def settings() -> Iterator[Setting]:
    """Yield every setting with its meaning.

    :raises LookupError: for one that nobody explains, and for an explanation of none.
    """
    explained = dict(MEANINGS)
    for line in described():
        found = _LINE.fullmatch(line)
        if found is None:
            raise LookupError(f"this line of `mts config schema` can not be read: {line}")
        own = explained.pop(found["key"], "")
        key, default = found["key"], found["default"].removeprefix("default ")
        meaning = found["meaning"].strip() or own
        if not meaning:
            raise LookupError(f"{key} has no meaning; give it one in tools/settings/meanings.py")
        if key == _BY_SYMBOL:
            yield from _of_a_symbol()
        else:
            yield Setting(key, found["kind"], default, meaning)
    if explained:
        raise LookupError(f"tools/settings/meanings.py explains no setting: {', '.join(explained)}")


def _of_a_symbol() -> Iterator[Setting]:
    """Yield the limits of one symbol, which `mts config schema` tells in one line."""
    for name, field in SymbolLimits.model_fields.items():
        kind = "boolean" if field.annotation is bool else "number or string or null"
        default = json.dumps(field.default)
        yield Setting(f"{_BY_SYMBOL}.NAME.{name}", kind, default, field.description or "")


def render() -> str:
    """Return the page."""
    parts = [_HEAD]
    for section, group in groupby(settings(), key=lambda one: one.section):
        parts.append(f"\n## {TITLES.get(section, section)}\n\n{_COLUMNS}")
        parts += [_row(one) for one in group]
    return "".join(parts)


def _row(one: Setting) -> str:
    cells = (f"`{one.key}`", one.kind.replace("|", ", "), _code(one.default), one.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _code(default: str) -> str:
    return default if default in {"required", "optional"} else f"`{default}`"
