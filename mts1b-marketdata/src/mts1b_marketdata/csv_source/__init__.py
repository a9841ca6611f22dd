"""Prices from CSV files."""

from mts1b_marketdata.csv_source.client import CsvClient, create
from mts1b_marketdata.csv_source.mapping import CsvFile, CsvKind

__all__ = ["CsvClient", "CsvFile", "CsvKind", "create"]
