"""The lake: datasets of bars under one folder, written atomically, read by version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation import MarketCalendar, UniversePanel

from mts1b_datalake.errors import DataError, DatasetMissing, Problem
from mts1b_datalake.files import Files, LocalFiles
from mts1b_datalake.ingest import Ingested, clean_frame, read_csv, read_parquet
from mts1b_datalake.manifest import Manifest, check_name, read_manifest
from mts1b_datalake.mapping import ImportSpec
from mts1b_datalake.panel import Join, build_panel
from mts1b_datalake.quality import QualityReport, check_bars
from mts1b_datalake.samples import SAMPLE_CALENDAR, SAMPLE_DATASET, SAMPLE_SOURCE, sample_bars
from mts1b_datalake.tables import publish, read_bars, verify_files

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ImportResult", "Lake"]

Moment = str | date | datetime


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import has published: the manifest, the rows it left out, the report.

    ``shortened`` tells of symbols that had bars before the first or after the last of the new ones,
    or more of them: an import replaces the bars of its symbols.
    """

    manifest: Manifest
    skipped: tuple[Problem, ...]
    quality: QualityReport
    shortened: tuple[str, ...] = ()


class Lake:
    """Keep datasets under ``root``, which is the ``lake`` folder of an MTS home."""

    def __init__(self, root: Path | str, *, files: Files | None = None) -> None:
        self.root = Path(root)
        self._files = files if files is not None else LocalFiles()

    @classmethod
    def at_home(cls, home: Path | str) -> Lake:
        """Return the lake of an MTS home."""
        return cls(Path(home) / "lake")

    def datasets(self) -> list[Manifest]:
        """Return the current manifest of every dataset, by name."""
        found = sorted((self.root / "bars").glob("*/manifest.json"))
        return [read_manifest(path.parent) for path in found]

    def manifest(self, dataset: str, version: int | None = None) -> Manifest:
        """Return the current manifest of a dataset, or the one of a version.

        :raises DatasetMissing: when there is none.
        """
        return read_manifest(self._directory(dataset), version)

    def import_csv(self, path: Path | str, spec: ImportSpec) -> ImportResult:
        """Import a CSV file with a header line.

        :raises DataError: when it breaks the declaration; nothing is written then.
        """
        return self._publish(read_csv(Path(path), spec), spec, Path(path).name)

    def import_parquet(self, path: Path | str, spec: ImportSpec) -> ImportResult:
        """Import a parquet file.

        :raises DataError: when it breaks the declaration; nothing is written then.
        """
        return self._publish(read_parquet(Path(path), spec), spec, Path(path).name)

    def import_frame(
        self, frame: pl.DataFrame, spec: ImportSpec, *, source: str = "frame"
    ) -> ImportResult:
        """Import a polars frame; ``source`` is kept in the manifest.

        :raises DataError: when it breaks the declaration; nothing is written then.
        """
        return self._publish(clean_frame(frame, spec, source=source), spec, source)

    def import_sample(self) -> ImportResult:
        """Import the sample tape as dataset ``sample``: SPX and IXIC, daily, 1999 to 2018.

        :raises SamplesMissing: when the extra ``samples`` is not installed.
        """
        bars = sample_bars()
        manifest = publish(
            self._directory(SAMPLE_DATASET),
            bars,
            interval="1d",
            created_from=SAMPLE_SOURCE,
            timezone="America/New_York",
            calendar=SAMPLE_CALENDAR,
            adjustment="none",
            files=self._files,
        )
        return ImportResult(manifest, (), check_bars(bars))

    def bars(
        self,
        symbols: Sequence[str],
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        dataset: str | None = None,
        version: int | None = None,
        asof: datetime | None = None,
    ) -> pl.DataFrame:
        """Return bars sorted by symbol (as asked), then time; both dates are included.

        ``dataset`` may be left out when one dataset alone has the interval. A start or end that
        is only a date means the whole UTC day. ``asof`` reads as it was known at that moment: bars
        that ended later are not there.

        :raises DatasetMissing: for an unknown dataset, version, symbol or interval.
        :raises DataError: for a time without a zone, no symbol, or one that is asked for twice.
        """
        _require_names(symbols)
        manifest = self._find(dataset, interval, version)
        low, high = _moment(start, time.min), _moment(end, time.max)
        if asof is not None:
            known = _moment(asof, time.max)
            high = known if high is None or (known is not None and known < high) else high
        return read_bars(
            self._directory(manifest.dataset), manifest, tuple(symbols), start=low, end=high
        )

    def build_panel(
        self,
        symbols: Sequence[str],
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        dataset: str | None = None,
        join: Join = "inner",
        version: int | None = None,
        asof: datetime | None = None,
    ) -> UniversePanel:
        """Return a panel; see :func:`mts1b_datalake.build_panel`."""
        return build_panel(
            self, symbols, interval, start, end,
            dataset=dataset, join=join, version=version, asof=asof,
        )  # fmt: skip

    def check(self, dataset: str, *, calendar: MarketCalendar | None = None) -> QualityReport:
        """Hash the files of a dataset and report what is odd in its bars.

        :raises DatasetCorrupt: when a file is gone or was changed.
        """
        manifest = self.manifest(dataset)
        bars = read_bars(self._directory(dataset), manifest, manifest.symbols)
        return check_bars(bars, calendar=calendar)

    def verify(self, dataset: str, version: int | None = None) -> Manifest:
        """Hash every file of a version and return its manifest.

        :raises DatasetCorrupt: for the first file that is gone or was changed.
        """
        manifest = self.manifest(dataset, version)
        verify_files(self._directory(dataset), manifest)
        return manifest

    def _directory(self, dataset: str) -> Path:
        return self.root / "bars" / check_name(dataset)

    def _publish(self, ingested: Ingested, spec: ImportSpec, source: str) -> ImportResult:
        directory = self._directory(spec.dataset)
        old = read_manifest(directory) if (directory / "manifest.json").exists() else None
        manifest = publish(
            directory,
            ingested.bars,
            interval=spec.interval,
            created_from=source,
            timezone=spec.timezone,
            calendar=spec.calendar.name if spec.calendar is not None else None,
            adjustment=spec.adjustment,
            files=self._files,
        )
        report = check_bars(ingested.bars, calendar=spec.calendar)
        shortened = () if old is None else tuple(_shortened(old, manifest))
        return ImportResult(manifest, ingested.skipped, report, shortened)

    def _find(self, dataset: str | None, interval: str, version: int | None) -> Manifest:
        if dataset is None:
            names = [item.dataset for item in self.datasets() if item.interval == interval]
            if len(names) != 1:
                found = ", ".join(names) or "none"
                raise DatasetMissing(
                    f"name the dataset; under {self.root}, bars of {interval} are in: {found}"
                )
            dataset = names[0]
        manifest = self.manifest(dataset, version)
        if manifest.interval != interval:
            raise DatasetMissing(
                f"dataset {dataset!r} holds bars of {manifest.interval}, not of {interval}"
            )
        return manifest


def _require_names(symbols: Sequence[str]) -> None:
    if isinstance(symbols, str):
        raise DataError(f"symbols is the text {symbols!r}; give a list of names")
    if not symbols:
        raise DataError("no symbol is asked for; name one or more")
    if len(set(symbols)) != len(symbols):
        raise DataError(f"a symbol is asked for twice in {', '.join(symbols)}; name each once")


def _shortened(old: Manifest, new: Manifest) -> Iterator[str]:
    now = {entry.symbol: entry for entry in new.files}
    for was in old.files:
        entry = now[was.symbol]
        if was.first < entry.first or was.last > entry.last or was.rows > entry.rows:
            yield (
                f"{was.symbol} had {was.rows} bars, {was.first:%Y-%m-%d} to {was.last:%Y-%m-%d}, "
                f"and has {entry.rows} now: an import replaces the bars of its symbols; "
                f"version {old.version} keeps the old ones"
            )


def _moment(value: Moment | None, day_time: time) -> datetime | None:
    """Return an aware UTC time; a date alone becomes its first or last moment."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise DataError(f"{value!r} is not an ISO date or time, e.g. 2008-09-15") from None
    if not isinstance(value, datetime):
        return datetime.combine(value, day_time, tzinfo=UTC)
    if value.tzinfo is None:
        raise DataError(f"time {value.isoformat()} has no zone; give one, e.g. +00:00")
    return value.astimezone(UTC)
