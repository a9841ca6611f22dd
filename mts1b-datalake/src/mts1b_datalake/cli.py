"""``mts data``: import, list and check market history."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from datetime import time

    from mts1b_datalake.calendars import NamedCalendar
    from mts1b_datalake.lake import ImportResult, Lake
    from mts1b_datalake.manifest import Manifest
    from mts1b_datalake.quality import QualityReport

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keep market history.")

JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def _lake() -> Lake:
    from mts1b_platform.config import mts_home

    from mts1b_datalake.lake import Lake

    return Lake.at_home(mts_home(os.environ))


@contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """Print an error of the data and end with its exit code."""
    from mts1b_platform.errors import PlatformError

    try:
        yield
    except PlatformError as error:
        code = int(error.exit_code)
        if as_json:
            told = {"error": type(error).__name__, "message": str(error), "exit_code": code}
            print(json.dumps(told))
        else:
            print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(code) from None


@app.command("import")
def import_file(
    file: Annotated[Path | None, typer.Argument(help="a CSV or parquet file")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="import the sample tape")] = False,
    dataset: Annotated[str, typer.Option(help="name of the dataset")] = "",
    interval: Annotated[str, typer.Option(help="1m 5m 15m 30m 1h 4h 1d 1w")] = "1d",
    timezone: Annotated[str | None, typer.Option(help="zone of times without an offset")] = None,
    symbol: Annotated[str | None, typer.Option(help="the one symbol of the file")] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN, once for each field")
    ] = None,
    timestamp_format: Annotated[
        str, typer.Option("--format", help="iso, epoch_s, epoch_ms, epoch_us or strptime")
    ] = "iso",
    stamp: Annotated[
        Literal["end", "start"] | None, typer.Option(help="what a time marks; end unless given")
    ] = None,
    session_close: Annotated[
        str | None, typer.Option(help="HH:MM local at which a dated bar ends")
    ] = None,
    calendar: Annotated[str | None, typer.Option(help="exchange code, e.g. XNYS")] = None,
    adjustment: Annotated[
        Literal["none", "split", "total"], typer.Option(help="what prices were adjusted for")
    ] = "none",
    on_error: Annotated[
        Literal["refuse", "skip"], typer.Option(help="what to do when rows are bad")
    ] = "refuse",
    as_json: JsonOption = False,
) -> None:
    """Import a file by its declaration, or the sample tape; all of it or nothing."""
    with _reported(as_json):
        if sample == (file is not None):
            raise typer.BadParameter("give either FILE or --sample")
        if sample:
            _print_import(_lake().import_sample(), as_json)
            return
        assert file is not None
        from mts1b_datalake.mapping import ColumnMapping, ImportSpec

        spec = ImportSpec(
            dataset=dataset or file.stem.lower(),
            interval=interval,
            timezone=timezone,
            symbol=symbol,
            mapping=ColumnMapping.parse(mapping or []),
            timestamp_format=timestamp_format,
            stamp=stamp,
            session_close=_clock_time(session_close),
            calendar=_calendar(calendar),
            adjustment=adjustment,
            on_error=on_error,
        )
        lake = _lake()
        parquet = file.suffix.lower() in (".parquet", ".pq")
        _print_import((lake.import_parquet if parquet else lake.import_csv)(file, spec), as_json)


def _calendar(name: str | None) -> NamedCalendar | None:
    from mts1b_datalake.calendars import NamedCalendar

    return NamedCalendar(name) if name is not None else None


def _clock_time(text: str | None) -> time | None:
    from datetime import time

    if text is None:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--session-close {text!r} is not HH:MM") from None


def _print_import(result: ImportResult, as_json: bool) -> None:
    manifest = result.manifest
    if as_json:
        skipped = [asdict(problem) for problem in result.skipped]
        quality = result.quality.to_dict()
        told = {"skipped": skipped, "quality": quality, "shortened": list(result.shortened)}
        print(json.dumps({**_summary(manifest), **told, "exit_code": 0}))
        return
    print(
        f"{manifest.dataset} version {manifest.version}: {manifest.rows} bars of "
        f"{', '.join(manifest.symbols)}, {manifest.first:%Y-%m-%d} to {manifest.last:%Y-%m-%d}, "
        f"sha256 {manifest.sha256[:12]}"
    )
    for problem in result.skipped:
        print(f"left out {problem}")
    for line in result.shortened:
        print(f"warning: {line}")
    for issue in result.quality.issues:
        print(f"{issue.severity}: {issue.symbol} {issue.rule} {issue.count}, {issue.examples[0]}")


def _summary(manifest: Manifest) -> dict[str, Any]:
    keep = ("dataset", "interval", "version", "created_from", "timezone", "calendar", "adjustment")
    return {
        **{name: getattr(manifest, name) for name in keep},
        "symbols": list(manifest.symbols),
        "rows": manifest.rows,
        "first": manifest.first.isoformat(),
        "last": manifest.last.isoformat(),
        "sha256": manifest.sha256,
    }


@app.command("ls")
def list_datasets(as_json: JsonOption = False) -> None:
    """List the datasets of this MTS_HOME."""
    with _reported(as_json):
        found = _lake().datasets()
        if as_json:
            items = [_summary(manifest) for manifest in found]
            print(json.dumps({"items": items, "exit_code": 0}))
            return
        if not found:
            print("no datasets; add one with 'mts data import --sample' or 'mts data import FILE'")
        for item in found:
            print(
                f"{item.dataset:<20} {item.interval:<4} version {item.version:<4} "
                f"{item.rows:>10} bars  {item.first:%Y-%m-%d} to {item.last:%Y-%m-%d}  "
                f"{', '.join(item.symbols)}"
            )


@app.command("check")
def check_dataset(dataset: str, as_json: JsonOption = False) -> None:
    """Verify the files of a dataset and report gaps, outliers and broken rules.

    Ends with 1 when a rule is broken, with 6 when a file is gone or was changed.
    """
    with _reported(as_json):
        lake = _lake()
        manifest = lake.manifest(dataset)
        report = lake.check(dataset, calendar=_calendar(manifest.calendar))
        _print_report(dataset, report, as_json)
    if not report.ok:
        raise typer.Exit(1)


def _print_report(dataset: str, report: QualityReport, as_json: bool) -> None:
    if as_json:
        code = 0 if report.ok else 1
        print(json.dumps({"dataset": dataset, **report.to_dict(), "exit_code": code}))
        return
    for issue in report.issues:
        print(
            f"{issue.severity:<8} {issue.symbol:<12} {issue.rule:<24} {issue.count:>6}  "
            f"{', '.join(issue.examples)}"
        )
    verdict = "no rule is broken" if report.ok else "rules are broken"
    print(f"{dataset}: {report.rows} bars of {', '.join(report.symbols)}; {verdict}")
