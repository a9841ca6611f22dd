"""The layer table: one row a package. To add a package, add its folder and its row."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LAYERS", "PLUGIN_LAYER", "Row"]

PLUGIN_LAYER = 100
"""A plugin of another author stands above every package of this workspace."""


@dataclass(frozen=True)
class Row:
    """One package: its layer (0 is the lowest), its distribution (also its folder), its import."""

    layer: int
    distribution: str
    import_name: str


LAYERS: tuple[Row, ...] = (
    Row(0, "mts1b-foundation", "mts1b_foundation"),
    Row(1, "mts1b-platform", "mts1b_platform"),
    Row(1, "mts1b-deploy", "mts1b_deploy"),
    Row(1, "mts1b-pluginsdk", "mts1b_pluginsdk"),
    Row(2, "mts1b-brokers", "mts1b_brokers"),
    Row(2, "mts1b-marketdata", "mts1b_marketdata"),
    Row(2, "mts1b-quantkit", "mts1b_quantkit"),
    Row(3, "mts1b-riskengine", "mts1b_riskengine"),
    Row(3, "mts1b-portfolio", "mts1b_portfolio"),
    Row(3, "mts1b-oms-algos", "mts1b_oms_algos"),
    Row(4, "mts1b-GPUbacktester", "mts1b_GPUbacktester"),
    Row(4, "mts1b-operations", "mts1b_operations"),
    Row(4, "mts1b-datalake", "mts1b_datalake"),
    Row(5, "mts1b-oms", "mts1b_oms"),
    Row(5, "mts1b-research", "mts1b_research"),
)
