"""``python -m tools.contracts``: exit 0 when all contracts hold, 1 when one is broken, 2 when one
can not be read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.contracts import (
    CHECKS,
    Malformed,
    Report,
    default_policy,
    read_plugin,
    read_project,
    run_checks,
)

__all__ = ["main"]

CLEAN, BROKEN, MALFORMED = 0, 1, 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.contracts", description="Check the architecture of the workspace."
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the workspace (default: here)")
    parser.add_argument("--plugin", type=Path, help="check one package folder of your own instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--list", action="store_true", help="list the checks and end")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{check.rule:22} {check.says}" for check in CHECKS))
        return CLEAN
    try:
        policy = default_policy()
        project = (
            read_plugin(options.plugin.resolve(), policy)
            if options.plugin
            else read_project(options.root.resolve(), policy)
        )
        report = run_checks(project)
    except Malformed as error:
        return _malformed(error, as_json=options.json)
    print(_as_json(report) if options.json else _as_text(report))
    return CLEAN if report.clean else BROKEN


def _malformed(error: Malformed, *, as_json: bool) -> int:
    if as_json:
        fields = {"where": error.where, "problem": error.problem, "remedy": error.remedy}
        print(json.dumps({"status": "malformed", **fields}))
    else:
        print(f"contracts malformed: {error}", file=sys.stderr)
    return MALFORMED


def _as_json(report: Report) -> str:
    return json.dumps({"status": "clean" if report.clean else "broken", **asdict(report)})


def _as_text(report: Report) -> str:
    markers = ", ".join(f"{count} {name}" for name, count in sorted(report.markers.items()))
    seen = f"{len(CHECKS)} rules, {report.packages} packages, {report.modules} modules; {markers}"
    if report.clean:
        return f"contracts hold: {seen}"
    lines = [str(violation) for violation in report.violations]
    return "\n".join([*lines, f"contracts broken: {len(lines)} violations ({seen})"])


if __name__ == "__main__":
    sys.exit(main())
