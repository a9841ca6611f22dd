"""Conformance kits: what a plugin must do, as checks that run against any implementation."""

from mts1b_pluginsdk.conformance.bench import Bench, BenchSettings, CheckFailed, CheckSkipped
from mts1b_pluginsdk.conformance.broker import BROKER_CHECKS, check_broker
from mts1b_pluginsdk.conformance.check import BrokerCheck
from mts1b_pluginsdk.conformance.report import CheckResult, Report, Verdict

__all__ = [
    "BROKER_CHECKS",
    "Bench",
    "BenchSettings",
    "BrokerCheck",
    "CheckFailed",
    "CheckResult",
    "CheckSkipped",
    "Report",
    "Verdict",
    "check_broker",
]
