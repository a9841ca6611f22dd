"""The HTML report: one file, no script, no network, with the figures of :mod:`.summary`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mts1b_operations.charts import COLOURS, KINDS, Series, bar_chart, line_chart
from mts1b_operations.plain_text import one_line
from mts1b_operations.summary import FundFigures, RunSummary, summary

__all__ = ["build_report", "render_report"]

_LONGEST = 300
_LONGEST_NAME, _LAST = 40, 10


def build_report(home: Path, *, figures: RunSummary | None = None) -> Path:
    """Write ``reports/run.html`` in ``home`` and return its path.

    :raises AuditUnavailable: when the home holds no audit store.
    """
    path = home / "reports" / "run.html"
    page = render_report(figures or summary(home))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def render_report(figures: RunSummary) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("mts1b_operations"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        money=_money,
        percent=_percent,
        grouped=_grouped,
        minute=_minute,
        said=_said,
        clipped=_clipped,
    )
    return environment.get_template("report.html.j2").render(
        period=_period(figures),
        tiles=_tiles(figures),
        proof=figures.verification,
        funds=figures.funds,
        charts=_charts(figures),
        statuses=list(figures.orders),
        halts=figures.halts,
        lasting=list(dict.fromkeys(h.scope for h in figures.halts if h.resumed_at is None)),
        alert_counts=_alert_counts(figures),
        latency=figures.latency,
    )


def _money(value: Decimal) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{value:+.1%}"


def _grouped(value: float) -> str:
    return f"{value:,.0f}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _said(text: str) -> str:
    """Return what somebody wrote, as one line of a length that a table has room for."""
    shown = one_line(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… (the whole is in the log)"


def _clipped(text: str) -> str:
    """Return both ends of a name that a column has no room for; its title is the whole."""
    shown = one_line(text)
    if len(shown) <= _LONGEST_NAME:
        return shown
    return f"{shown[: _LONGEST_NAME - _LAST - 1]}…{shown[-_LAST:]}"


def _period(figures: RunSummary) -> str:
    if not figures.funds:
        return "no NAV yet"
    first = min(fund.first.as_of for fund in figures.funds)
    last = max(fund.last.as_of for fund in figures.funds)
    return f"{first:%d %b %Y} to {last:%d %b %Y}, times in UTC"


def _tiles(figures: RunSummary) -> list[dict[str, str]]:
    nav = sum((fund.last.nav_usd for fund in figures.funds), Decimal(0))
    pairs = [
        ("NAV, USD", _money(nav)),
        ("orders", _grouped(sum(figures.orders.values()))),
        ("fills", _grouped(figures.fills)),
        ("denials", _grouped(sum(figures.denials_by_gate.values()))),
        ("halts", _grouped(len(figures.halts))),
        ("fees, USD", _money(figures.fees_usd)),
        ("audit entries", _grouped(figures.verification.entries)),
    ]
    return [{"name": name, "value": value} for name, value in pairs]


def _series(fund: FundFigures, name: str) -> Series:
    return Series(
        fund.fund_id,
        [point.as_of for point in fund.curve],
        [float(getattr(point, name)) for point in fund.curve],
    )


def _share_series(fund: FundFigures, name: str, word: str) -> Series:
    known = [point for point in fund.curve if point.nav_usd > 0]
    values = [float(getattr(point, name) / point.nav_usd) for point in known]
    return Series(f"{fund.fund_id} {word}", [point.as_of for point in known], values)


def _charts(figures: RunSummary) -> list[dict[str, Any]]:
    funds = figures.funds
    spans = _halt_spans(figures)
    share = "{:.0%}".format
    shares = [
        _share_series(fund, f"{word}_exposure_usd", word)
        for fund in funds
        for word in ("gross", "net")
    ]
    exposure = [one for one in shares if one.values]
    equity = line_chart([_series(f, "nav_usd") for f in funds], title="Equity, USD", spans=spans)
    drawdown = line_chart(
        [_series(f, "drawdown") for f in funds],
        title="Drawdown",
        label=share,
        area=True,
        pick=min,
        spans=spans,
    )
    names = [fund.fund_id for fund in funds]
    halted = bool(spans)
    return [
        _chart("Equity, USD", equity, names, halted=halted),
        _chart("Drawdown", drawdown, names, halted=halted),
        _chart(
            "Exposure, share of NAV",
            line_chart(exposure, title="Exposure", label=share),
            [one.name for one in exposure],
        ),
        _chart("Denials by gate", bar_chart(figures.denials_by_gate, title="Denials by gate")),
        _chart("Denials by reason", bar_chart(figures.denials_by_code, title="Denials by reason")),
        _chart("Costs by fund, USD", bar_chart(_fees(figures), title="Costs by fund")),
    ]


def _chart(
    title: str, svg: str, legend: list[str] | None = None, *, halted: bool = False
) -> dict[str, Any]:
    marks = [
        {"name": name, "look": f"k{number // COLOURS % KINDS} s{number % COLOURS}"}
        for number, name in enumerate(legend or [])
    ]
    return {"title": title, "svg": svg, "legend": marks, "halts": halted}


def _fees(figures: RunSummary) -> dict[str, float]:
    return {fund.fund_id: float(fund.fees_usd) for fund in figures.funds}


def _halt_spans(figures: RunSummary) -> list[tuple[datetime, datetime]]:
    if not figures.funds:
        return []
    start = min(fund.first.as_of for fund in figures.funds)
    end = max(fund.last.as_of for fund in figures.funds)
    spans = [(halt.requested_at, halt.resumed_at or end) for halt in figures.halts]
    return [(max(a, start), min(b, end)) for a, b in spans if a <= end and b >= start]


def _alert_counts(figures: RunSummary) -> list[dict[str, Any]]:
    counts = Counter(alert.watchdog for alert in figures.alerts)
    last = {alert.watchdog: alert for alert in figures.alerts}
    return [
        {"name": name, "count": count, "last": last[name]} for name, count in counts.most_common()
    ]
