"""``python -m tools.agreement.papers``: printed numbers beside computed ones, as a page.

Inputs are typed in from the sources. A printed number has a last digit; the page shows how many
units of it the computed number is away. Half a unit is rounding; more than that comes from inputs
that are printed rounded themselves, and each row states its limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.agreement.printed import Printed, units_off
from tools.agreement.printed_measures import MEASURES
from tools.agreement.printed_portfolios import PORTFOLIOS

__all__ = ["PAGE", "PRINTED", "Printed", "main", "render", "units_off"]

PAGE = Path("docs") / "quantkit-papers.md"
PRINTED = [*PORTFOLIOS, *MEASURES]

_HEAD = """# Printed numbers

Examples of papers and handbooks, typed in, beside what `mts1b_quantkit` computes. The fourth column
counts units of the last printed digit: up to half of one is rounding; more comes from inputs that
the source prints rounded too. `python -m tools.agreement.papers --write` computes this page again
and a test fails where it is stale or a limit is exceeded. The last column says what the printed
numbers were held against; what was typed in from memory still waits for a copy to be laid beside.

| source | what | function | printed | units off | limit | checked against |
|---|---|---|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return _HEAD + "".join(
        f"| {row.source} | {row.what} | `{row.function}` | {row.printed} | "
        f"{units_off(row):.2f} | {row.limit:g} | {row.checked} |\n"
        for row in PRINTED
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a limit is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tools.agreement.papers", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options_ = parser.parse_args(arguments)
    beyond = [row for row in PRINTED if not units_off(row) <= row.limit]
    for row in beyond:
        print(f"{row.source}, {row.what}: {units_off(row):.2f} units off", file=sys.stderr)
    if options_.write and not beyond:
        PAGE.write_text(render(), encoding="utf-8")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
