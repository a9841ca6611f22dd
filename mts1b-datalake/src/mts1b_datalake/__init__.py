"""Keep market history: bars with a proof, imported by declaration, read by version."""

from mts1b_datalake.calendars import NamedCalendar
from mts1b_datalake.errors import (
    DataError,
    DatasetCorrupt,
    DatasetMissing,
    Problem,
    SamplesMissing,
)
from mts1b_datalake.lake import ImportResult, Lake
from mts1b_datalake.manifest import FileEntry, Manifest
from mts1b_datalake.mapping import ColumnMapping, ImportSpec
from mts1b_datalake.panel import build_panel
from mts1b_datalake.quality import Issue, QualityReport, Severity, check_bars

__all__ = [
    "ColumnMapping",
    "DataError",
    "DatasetCorrupt",
    "DatasetMissing",
    "FileEntry",
    "ImportResult",
    "ImportSpec",
    "Issue",
    "Lake",
    "Manifest",
    "NamedCalendar",
    "Problem",
    "QualityReport",
    "SamplesMissing",
    "Severity",
    "build_panel",
    "check_bars",
]
