"""Write the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.guarantees.figures import Figure, read
from tools.guarantees.found import Found, find
from tools.guarantees.promises import PROMISES
from tools.guarantees.scenarios import SCENARIOS
from tools.guarantees.table import Promise, Scenario

__all__ = ["PAGE", "covered", "render"]

PAGE = Path("docs") / "guarantees.md"

_HEAD = """# Guarantees

What MTS1B promises about orders, money, risk, halts and evidence; what shows each promise; the
last figures; and what is not covered. `python -m tools.guarantees --write` writes this page, and a
test fails when it is stale or names a test that does not exist.

"0 of n" is given with its 95 % upper bound 3/n: nothing here says "never". Everything is shown on
paper venues and simulators; there is no adapter to a real market yet.

"""

_FAULTS = """## The fault catalogue

Each scenario with the tests that play it, and the counters of the simulator
(`mts1b_oms.simulation`) that show how often a seed drove it. *Not covered* means just that.

| Id | Fault | Shown by |
|---|---|---|
"""


def render(
    root: Path,
    *,
    promises: Sequence[Promise] = PROMISES,
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> str:
    """Return the page for the workspace in ``root``.

    :raises LookupError: when a row names a test that does not exist.
    """
    found, figures = find(root), read(root)
    texts = "\n".join(_promise(item, found, figures) for item in promises)
    rows = "".join(_row(item, found) for item in scenarios)
    shown = sum(1 for item in scenarios if covered(item, found))
    tail = f"\n{shown} of {len(scenarios)} scenarios are covered.\n"
    return _HEAD + texts + "\n" + _FAULTS + rows + tail


def covered(item: Scenario, found: Found) -> bool:
    """Return whether anything shows a scenario."""
    return bool(_tests(item, found) or item.counters)


def _tests(item: Scenario, found: Found) -> list[str]:
    by_name = [] if item.id[0] in "IL" else found.of_scenario(item.id)
    return list(dict.fromkeys([*by_name, *item.tests]))


def _promise(item: Promise, found: Found, figures: dict[str, Figure]) -> str:
    lines = [f"## P{item.number}. {item.title}", "", item.says, ""]
    if item.tests or item.commands:
        lines.append("Shown by:")
        lines += [f"- {_link(name, found)}" for name in item.tests]
        lines += [f"- `{command}`" for command in item.commands]
    else:
        lines.append("Shown by: nothing yet.")
    known = [figures[name] for name in item.figures if name in figures]
    if known:
        lines += ["", "Last figures:"]
        lines += [f"- {figure.text} (`{figure.command}`, {figure.measured})" for figure in known]
    return "\n".join([*lines, "", f"Not covered: {item.gaps}", ""])


def _row(item: Scenario, found: Found) -> str:
    shown = [_link(name, found) for name in _tests(item, found)]
    shown += [f"counter `{counter}`" for counter in item.counters]
    return f"| {item.id} | {item.fault} | {'; '.join(shown) or '*not covered*'} |\n"


def _link(name: str, found: Found) -> str:
    """Return a link to a test, from the page's folder.

    :raises LookupError: when there is no such test.
    """
    if name not in found.tests:
        raise LookupError(f"{name} does not exist; mend its row in tools/guarantees")
    return f"[{name.partition('::')[2]}](../{found.tests[name]})"
