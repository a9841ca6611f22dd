"""The figures of a run, all of them taken from its audit log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel

from mts1b_operations.audit.entry import AuditEntry
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.errors import ChainIntegrityError

__all__ = [
    "FundFigures",
    "HaltFigures",
    "NavPoint",
    "RunSummary",
    "Verification",
    "figures_of",
    "summary",
]

_SESSIONS_A_YEAR = 252


class NavPoint(FrozenModel):
    """One point of a fund's curve; ``drawdown`` is a fraction, zero or negative."""

    as_of: datetime
    nav_usd: Decimal
    drawdown: Decimal
    gross_exposure_usd: Decimal
    net_exposure_usd: Decimal


class FundFigures(FrozenModel):
    """What became of one fund. Ratios are research figures (float), money is exact."""

    fund_id: str
    first: NavPoint
    last: NavPoint
    sessions: int
    total_return: float
    annual_return: float
    annual_volatility: float
    sharpe: float
    max_drawdown: float
    fills: int
    fees_usd: Decimal
    turnover_usd: Decimal
    orders: dict[str, int]
    denials: int
    curve: tuple[NavPoint, ...]


class HaltFigures(FrozenModel):
    """One halt, from its request to its resume (None while it lasts)."""

    halt_id: str
    scope: str
    reason: str
    requested_by: str
    requested_at: datetime
    resumed_at: datetime | None = None
    resumed_by: str = ""
    resume_reason: str = ""


class AlertFigures(FrozenModel):
    """One alert of a watchdog."""

    watchdog: str
    scope: str
    message: str
    raised_at: datetime


class Verification(FrozenModel):
    """What the log proves of itself, and the state hash of the run where there is one."""

    entries: int
    root: str
    verified: bool
    problem: str = ""
    state_hash: str = ""


class RunSummary(FrozenModel):
    """Everything that the terminal summary and the HTML report show."""

    funds: tuple[FundFigures, ...]
    orders: dict[str, int]
    denials_by_gate: dict[str, int]
    denials_by_code: dict[str, int]
    signals: int
    fills: int
    fees_usd: Decimal
    halts: tuple[HaltFigures, ...]
    alerts: tuple[AlertFigures, ...]
    latency: dict[str, dict[str, float]]
    verification: Verification


class _Fund:
    def __init__(self) -> None:
        self.curve: list[NavPoint] = []
        self.returns: list[float] = []
        self._last: NavSnapshot | None = None
        self.fills = 0
        self.fees = Decimal(0)
        self.turnover = Decimal(0)
        self.denials = 0
        self.statuses: Counter[str] = Counter()

    def take(self, nav: NavSnapshot) -> None:
        """Add a point to the curve, and what was earned since the last one as a fraction."""
        names = ("as_of", "nav_usd", "drawdown", "gross_exposure_usd", "net_exposure_usd")
        self.curve.append(NavPoint.model_validate({name: getattr(nav, name) for name in names}))
        before, self._last = self._last, nav
        if before is not None:
            began = float(before.nav_usd)
            self.returns.append(float(nav.gain_since(before)) / began if began else np.nan)


class _Collector:
    """Read the log once, entry by entry."""

    def __init__(self) -> None:
        self.funds: dict[str, _Fund] = {}
        self.orders: dict[str, tuple[str, str]] = {}
        self.gates: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.halts: dict[str, HaltFigures] = {}
        self._epochs: dict[str, int] = {}
        self.alerts: list[AlertFigures] = []
        self.signals = 0

    def take(self, entry: AuditEntry) -> None:
        """Add one entry; those that no figure is made of change nothing."""
        data: dict[str, Any] = dict(entry.data)
        match entry.action:
            case "nav_updated":
                self._nav(data)
            case "fill_created":
                self._fill(data)
            case "order_approved" | "gate_failed":
                pass
            case "order_denied":
                self._denial(data)
            case "signal_published":
                self.signals += 1
            case "halt_requested":
                self._halt(entry, data)
            case "halt_resumed":
                self._resume(entry, data)
            case "watchdog_alert":
                names = ("watchdog", "scope", "message", "raised_at")
                self.alerts.append(AlertFigures.model_validate({n: data[n] for n in names}))
            case action if action.startswith("order_"):
                self.orders[entry.subject_id] = (str(data["fund_id"]), str(data["status"]))

    def _fund(self, fund_id: object) -> _Fund:
        return self.funds.setdefault(str(fund_id), _Fund())

    def _nav(self, data: dict[str, Any]) -> None:
        if data["strategy_id"] is not None:
            return
        self._fund(data["fund_id"]).take(NavSnapshot.model_validate(data))

    def _fill(self, data: dict[str, Any]) -> None:
        fund = self._fund(data["fund_id"])
        fund.fills += 1
        fund.fees += Decimal(data["fees"])
        fund.turnover += Decimal(data["quantity"]) * Decimal(data["price"])

    def _denial(self, data: dict[str, Any]) -> None:
        self.gates[str(data["rejecting_gate"])] += 1
        self.codes[str(data["code"])] += 1
        self._fund(data["fund_id"]).denials += 1

    def _halt(self, entry: AuditEntry, data: dict[str, Any]) -> None:
        halt_id = str(data["halt_id"])
        self._epochs[halt_id] = int(data.get("epoch", 0))
        self.halts[halt_id] = HaltFigures(
            halt_id=halt_id,
            scope=entry.subject_id,
            reason=data["reason"],
            requested_by=data["requested_by"],
            requested_at=entry.timestamp,
        )

    def _resume(self, entry: AuditEntry, data: dict[str, Any]) -> None:
        for halt_id, halt in self.halts.items():
            if self._epochs[halt_id] > int(data["epoch"]):
                continue  # it came after what was signed, and stays
            if halt.scope == entry.subject_id and halt.resumed_at is None:
                self.halts[halt_id] = halt.with_(
                    resumed_at=entry.timestamp,
                    resumed_by=data["cosigned_by"],
                    resume_reason=data["reason"],
                )

    def figures(self) -> list[FundFigures]:
        """Return the funds that have a NAV, by name; call it once, at the end."""
        for fund_id, status in self.orders.values():
            self._fund(fund_id).statuses[status] += 1
        return [
            _fund_figures(name, fund) for name, fund in sorted(self.funds.items()) if fund.curve
        ]


def _fund_figures(name: str, fund: _Fund) -> FundFigures:
    from mts1b_quantkit.metrics import annual_volatility, cagr, max_drawdown, sharpe, total_return

    returns = np.array(fund.returns)
    enough = len(returns) > 1 and bool(np.std(returns) > 0)
    return FundFigures(
        fund_id=name,
        first=fund.curve[0],
        last=fund.curve[-1],
        sessions=len(fund.curve),
        total_return=float(total_return(returns)) if len(returns) else 0.0,
        annual_return=float(cagr(returns)) if enough else 0.0,
        annual_volatility=float(annual_volatility(returns)) if enough else 0.0,
        sharpe=float(sharpe(returns)) if enough else 0.0,
        max_drawdown=float(max_drawdown(returns)) if len(returns) else 0.0,
        fills=fund.fills,
        fees_usd=fund.fees,
        turnover_usd=fund.turnover,
        orders=dict(sorted(fund.statuses.items())),
        denials=fund.denials,
        curve=tuple(fund.curve),
    )


def figures_of(
    entries: Iterable[AuditEntry],
    *,
    latency: dict[str, dict[str, float]] | None = None,
    verification: Verification | None = None,
) -> RunSummary:
    """Return the figures that follow from audit entries alone (besides latency and proof)."""
    seen = _Collector()
    for entry in entries:
        seen.take(entry)
    funds = seen.figures()
    return RunSummary(
        funds=tuple(funds),
        orders=dict(sorted(Counter(status for _, status in seen.orders.values()).items())),
        denials_by_gate=dict(seen.gates.most_common()),
        denials_by_code=dict(seen.codes.most_common()),
        signals=seen.signals,
        fills=sum(fund.fills for fund in seen.funds.values()),
        fees_usd=sum((fund.fees for fund in seen.funds.values()), Decimal(0)),
        halts=tuple(seen.halts.values()),
        alerts=tuple(seen.alerts),
        latency=latency or {},
        verification=verification or Verification(entries=0, root="", verified=False),
    )


def summary(home: Path) -> RunSummary:
    """Return the figures of the run in ``home``, with the proof of its log.

    :raises AuditUnavailable: when the home holds no audit store.
    """
    with AuditReader(home) as reader:
        return figures_of(
            reader.entries(), latency=read_latency(home), verification=_verify(reader, home)
        )


def _verify(reader: AuditReader, home: Path) -> Verification:
    state_hash = str(_read_json(home / "run" / "result.json").get("state_hash", ""))
    try:
        size, root = reader.verify()
    except ChainIntegrityError as error:
        return Verification(
            entries=reader.size, root="", verified=False, problem=str(error), state_hash=state_hash
        )
    return Verification(entries=size, root=root, verified=True, state_hash=state_hash)


def read_latency(home: Path) -> dict[str, dict[str, float]]:
    """Return the latency figures that the services left, by stage."""
    found: dict[str, dict[str, float]] = {}
    for path in sorted((home / "run" / "latency").glob("*.json")):
        found.update(_read_json(path))
    return dict(sorted(found.items()))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
