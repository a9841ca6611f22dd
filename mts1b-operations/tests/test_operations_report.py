"""The figures of a run: recomputed from the log by other means, and shown alike everywhere."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from mts1b_foundation import nats
from mts1b_operations import cli
from mts1b_operations.audit import AuditReader
from mts1b_operations.charts import Series, bar_chart, line_chart, thin
from mts1b_operations.report import build_report, render_report
from mts1b_operations.summary import RunSummary, figures_of, summary
from mts1b_operations.terminal import print_summary
from operations_world import FUND, World, day, nav
from rich.console import Console
from test_operations_service import ask_halt, fund_halt
from typer.testing import CliRunner

NAVS = ["1000000", "1010000", "980000", "950500.25", "990000", "1020000"]
LATENCY = {"oms.submit": {"count": 9, "p50_us": 1234.5, "p90_us": 2, "p99_us": 3, "max_us": 4}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    asyncio.run(_live(World(made)))
    (made / "run" / "latency").mkdir(parents=True, exist_ok=True)
    (made / "run" / "latency" / "oms.json").write_text(json.dumps(LATENCY))
    (made / "run" / "result.json").write_text(json.dumps({"state_hash": "ab" * 32}))
    return made


async def _live(world: World) -> None:
    await world.start()
    for number, value in enumerate(NAVS):
        await world.trade(number)
        await world.publish(nats.OMS_NAV_UPDATED, nav(number, value))
        await world.publish(nats.OMS_NAV_UPDATED, nav(number, "7", strategy_id="trend-ixic"))
        if number == 2:
            await ask_halt(world, fund_halt(number))
            await world.refuse(20, "drawdown_halt", "FUND_HALTED")
            await world.refuse(21, "static", "MAX_ORDER_NOTIONAL")
            await world.refuse(22, "static", "MAX_ORDER_NOTIONAL")
        await world.tick(number)
    await world.stop()


@pytest.fixture(scope="module")
def figures(home: Path) -> RunSummary:
    return summary(home)


def sql(home: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def test_the_figures_equal_what_plain_sql_finds_in_the_log(home: Path, figures: RunSummary) -> None:
    fund = figures.funds[0]
    navs = sql(
        home,
        "SELECT json_extract(data, '$.nav_usd') FROM audit_entries WHERE action = 'nav_updated' "
        "AND json_extract(data, '$.strategy_id') IS NULL ORDER BY sequence",
    )
    values = [Decimal(str(row[0])) for row in navs]
    assert [point.nav_usd for point in fund.curve] == values == [Decimal(v) for v in NAVS]
    assert fund.total_return == pytest.approx(float(values[-1] / values[0] - 1))
    depth = min(v / max(values[: n + 1]) - 1 for n, v in enumerate(values))
    assert fund.max_drawdown == pytest.approx(float(depth))
    fees = sql(
        home, "SELECT json_extract(data,'$.fees') FROM audit_entries WHERE action = 'fill_created'"
    )
    assert fund.fees_usd == sum(Decimal(str(row[0])) for row in fees) == figures.fees_usd
    assert fund.turnover_usd == Decimal("2001.50") * 10 * len(fees)
    assert figures.fills == len(fees) == 6
    gates = sql(
        home,
        "SELECT json_extract(data,'$.rejecting_gate'), count(*) FROM audit_entries "
        "WHERE action = 'order_denied' GROUP BY 1",
    )
    assert figures.denials_by_gate == dict(gates) == {"static": 2, "drawdown_halt": 1}
    assert figures.denials_by_code == {"MAX_ORDER_NOTIONAL": 2, "FUND_HALTED": 1}
    assert figures.orders == {"filled": 6, "rejected": 3} == fund.orders
    signals = sql(home, "SELECT count(*) FROM audit_entries WHERE action = 'signal_published'")
    assert figures.signals == signals[0][0]


def test_halts_carry_their_reason_and_resume(figures: RunSummary) -> None:
    (halt,) = figures.halts
    assert (halt.scope, halt.requested_at) == (f"fund:{FUND}", day(2))
    assert (halt.resumed_at, halt.resumed_by) == (day(5), "operator:scripted")
    assert "daily loss" in halt.reason


def test_the_proof_is_in_the_summary(home: Path, figures: RunSummary) -> None:
    proof = figures.verification
    assert proof.verified
    assert proof.entries == sql(home, "SELECT count(*) FROM audit_entries")[0][0]
    assert proof.state_hash == "ab" * 32
    assert figures.latency == LATENCY


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "rect", "polyline", "polygon", "br"):
            self.open.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_else(home: Path, figures: RunSummary) -> None:
    path = build_report(home, figures=figures)
    source = path.read_text()
    page = _Page()
    page.feed(source)
    assert page.links == []
    assert "<script" not in source
    assert "http" not in source.replace("http-equiv", "")
    text = re.sub(r"\s+", " ", " ".join(page.text))
    for part in (
        "1,020,000",
        "FUND_HALTED",
        "drawdown_halt",
        "static",
        "2008-09-17",
        "operator:scripted",
        "oms.submit",
        "The audit log is intact",
        figures.verification.root,
        "ab" * 32,
    ):
        assert part in text, part
    assert source.count("<polyline") == 1 + 1 + 2
    assert 'class="halt"' in source


def test_what_the_log_says_can_not_become_markup(figures: RunSummary) -> None:
    evil = figures.halts[0].with_(reason="<script>alert(1)</script>")
    fund = figures.funds[0].with_(fund_id="<b>x</b>")
    page = render_report(figures.with_(halts=(evil,), funds=(fund,)))
    assert "<script" not in page
    assert "<b>x</b>" not in page


def test_the_terminal_shows_the_same_figures(home: Path, figures: RunSummary) -> None:
    runner = CliRunner(env={"MTS_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "140"})
    done = runner.invoke(cli.report, ["build"])
    assert done.exit_code == 0
    fund = figures.funds[0]
    for part in (
        FUND,
        f"{fund.last.nav_usd:,.0f}",
        f"{fund.sharpe:.2f}",
        "6 filled, 3 rejected; 6 fills",
        "2 MAX_ORDER_NOTIONAL, 1 FUND_HALTED",
        "1, of which 1 resumed",
        f"intact: {figures.verification.entries} entries",
    ):
        assert part in done.output, part
    data = json.loads(runner.invoke(cli.report, ["build", "--json"]).output)
    assert data["orders"] == figures.orders
    assert Path(data["report"]).exists()


def test_a_damaged_log_gives_a_report_that_says_so(tmp_path: Path) -> None:
    asyncio.run(_live(World(tmp_path)))
    with sqlite3.connect(tmp_path / "db" / "operations.sqlite") as db:
        db.execute("UPDATE audit_entries SET actor = 'x' WHERE sequence = 3")
    db.close()
    runner = CliRunner(env={"MTS_HOME": str(tmp_path), "NO_COLOR": "1", "COLUMNS": "140"})
    done = runner.invoke(cli.report, ["build"])
    assert done.exit_code == 1
    assert "NOT INTACT" in done.output
    assert "NOT intact" in (tmp_path / "reports" / "run.html").read_text()


def test_nothing_yet_is_a_report_too() -> None:
    page = render_report(figures_of([]))
    assert "no NAV yet" in page


def test_charts_keep_what_must_be_seen() -> None:
    values = [float(n) for n in range(1000)]
    values[500] = -50.0
    assert len(thin(values, 100, min)) == 100
    assert min(thin(values, 100, min)) == -50.0
    assert thin(values[:5], 100, min) == values[:5]
    times = [day(n) for n in range(1000)]
    deep = line_chart([Series("a", times, values)], title="t", pick=min)
    shallow = line_chart([Series("a", times, values)], title="t", pick=max)
    assert deep.count(",") == shallow.count(",")
    assert deep != shallow
    flat = line_chart([Series("a", [day(0), day(1)], [5.0, 5.0])], title="flat")
    assert "nan" not in flat
    assert "polyline" in flat
    assert "No data" in line_chart([], title="none")
    assert "None" in bar_chart({}, title="none")
    assert bar_chart({"a": 1, "b": 2}, title="t").index(">b<") < bar_chart(
        {"a": 1, "b": 2}, title="t"
    ).index(">a<")


def test_a_short_run_has_dates_on_its_axis() -> None:
    days = [Series("a", [day(n) for n in range(20)], [float(n) for n in range(20)])]
    drawn = line_chart(days, title="t")
    assert ">15 Sep 2008<" in drawn
    assert ">04 Oct 2008<" in drawn
    hours = [Series("a", [day(0), day(0) + timedelta(hours=5)], [1.0, 2.0])]
    assert ">15 Sep 20:00<" in line_chart(hours, title="t")
    assert ">15 Sep 20:00<" in line_chart([Series("a", [day(0)], [1.0])], title="t")
    years = [Series("a", [day(0), day(2000)], [1.0, 2.0])]
    assert ">2010<" in line_chart(years, title="t")


def test_what_is_long_or_would_turn_the_line_leaves_room_for_the_rest(figures: RunSummary) -> None:
    long = figures.halts[0].with_(reason="w" * 5000, scope="fund:\u202eevil")
    page = render_report(figures.with_(halts=(long,)))
    assert "w" * 301 not in page
    assert "the whole is in the log" in page
    assert "\u202e" not in page
    assert "2008-09-17 20:00" in page, "with the time of day"
    assert "times in UTC" in page
    assert "…" in bar_chart({"x" * 60: 1}, title="t")


def test_what_is_halted_now_is_told_first(figures: RunSummary) -> None:
    assert "Still halted" not in render_report(figures)
    lasting = figures.halts[0].with_(resumed_at=None, resumed_by="")
    page = render_report(figures.with_(halts=(lasting, lasting)))
    assert page.index("Still halted") < page.index("NAV, USD")
    assert page.count(f"Still halted: fund:{FUND}<") == 1, "each scope once"


def test_a_long_name_is_clipped_and_whole_where_it_is_pointed_at(figures: RunSummary) -> None:
    name = "W" * 190
    page = render_report(figures.with_(funds=(figures.funds[0].with_(fund_id=name),)))
    assert f'title="{name}"' in page
    assert f">{name}" not in re.sub(r"<title>.*?</title>", "", page)
    assert "W" * 29 + "…" in page
    assert "…" + "W" * 4 + " gross<" in page, "what tells two lines of a fund apart"


def test_nothing_to_list_is_said_and_no_empty_table() -> None:
    page = render_report(figures_of([]))
    assert "<th>Fund</th>" not in page
    assert page.count('<p class="none">None yet.</p>') == 2


def heights(drawn: str) -> list[float]:
    (points,) = re.findall(r'polyline class="line[^"]*" points="([^"]*)"', drawn)
    return [float(point.partition(",")[2]) for point in points.split()]


def test_a_flat_line_has_an_axis_around_it() -> None:
    times = [day(0), day(1)]
    deep = line_chart([Series("a", times, [0.0, 0.0])], title="d", label="{:.0%}".format, area=True)
    assert heights(deep)[0] == 12.0, "no drawdown is the top of its chart"
    assert ">-10%<" in deep
    for value in (0.0, 5.0, -5.0):
        drawn = line_chart([Series("a", times, [value, value])], title="t")
        assert drawn.count('class="grid"') > 1
        assert 12.0 <= heights(drawn)[0] <= 254.0


def test_one_point_is_a_dot() -> None:
    drawn = line_chart([Series("a", [day(0)], [5.0])], title="t")
    assert 'class="line dot k0 s0"' in drawn
    assert len(heights(drawn)) == 2


def test_bars_of_rebates_stay_in_their_chart() -> None:
    for values in ({"a": -5.0, "b": -2.0}, {"a": -5.0, "b": 100.0}, {"a": 0.0}):
        widths = re.findall(r'class="bar" [^/]*width="([0-9.]+)"', bar_chart(values, title="t"))
        assert all(0 < float(width) <= 520 for width in widths), values


def test_nine_lines_are_told_apart(figures: RunSummary) -> None:
    many = [Series(f"f{n}", [day(0), day(1)], [1.0 * n, 2.0 * n]) for n in range(9)]
    drawn = re.findall(r'class="line ([^"]*)"', line_chart(many, title="t"))
    assert len(set(drawn)) == 9
    funds = [figures.funds[0].with_(fund_id=f"f{n}") for n in range(9)]
    marks = re.findall(r"<i class=\"(k\d s\d)\">", render_report(figures.with_(funds=tuple(funds))))
    assert len(set(marks[:9])) == 9


def test_no_exposure_is_told_where_the_nav_is_not_positive(figures: RunSummary) -> None:
    fund = figures.funds[0]
    gone = tuple(point.with_(nav_usd=Decimal(-1)) for point in fund.curve)
    page = render_report(figures.with_(funds=(fund.with_(curve=gone),)))
    assert "No data for: Exposure" in page


def test_the_terminal_takes_no_markup_from_a_name(figures: RunSummary) -> None:
    odd = figures.halts[0].with_(scope="fund:[/b][red]x", resumed_at=None)
    console = Console(file=StringIO(), width=140)
    fund = figures.funds[0].with_(fund_id="[bold]x[/]")
    print_summary(figures.with_(halts=(odd,), funds=(fund,)), Path("a[/]b"), console=console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "still halted: fund:[/b][red]x" in told
    assert "[bold]x[/]" in told


def test_a_halt_after_what_was_signed_is_not_told_as_resumed(home: Path) -> None:
    with AuditReader(home) as reader:
        entries = list(reader.entries())
    (asked,) = [e for e in entries if e.action == "halt_requested"]
    (ended,) = [e for e in entries if e.action == "halt_resumed"]
    later = {"halt_id": "later", "epoch": ended.data["epoch"] + 1}
    place = entries.index(ended)
    second = replace(asked, data=dict(asked.data) | later)
    halts = figures_of([*entries[:place], second, *entries[place:]]).halts
    assert [halt.resumed_at is None for halt in halts] == [False, True]
