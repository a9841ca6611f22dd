"""Conformance kits: what a plugin must do, as cards that run against any implementation."""

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.broker import BROKER_CARDS, BROKER_DUTIES, check_broker
from mts1b_pluginsdk.conformance.card import Card, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.report import CardResult, Report, Verdict
from mts1b_pluginsdk.conformance.sandbox import Connect, Desk, Hands, Sandbox, Wire
from mts1b_pluginsdk.conformance.settings import BenchSettings
from mts1b_pluginsdk.conformance.verdicts import CardFailed, CardSkipped

__all__ = [
    "BROKER_CARDS",
    "BROKER_DUTIES",
    "Bench",
    "BenchSettings",
    "Card",
    "CardFailed",
    "CardResult",
    "CardSkipped",
    "Connect",
    "Desk",
    "Group",
    "Hands",
    "Need",
    "Report",
    "Sandbox",
    "Verdict",
    "Wire",
    "check_broker",
]
