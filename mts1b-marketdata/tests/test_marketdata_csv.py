"""The csv source: declared, exact, and clear about what is wrong."""

import asyncio
import inspect
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from mts1b_foundation import Symbol
from mts1b_foundation.protocols import MarketDataProtocol
from mts1b_marketdata import (
    CsvClient,
    CsvFile,
    NotOffered,
    SourceFileError,
    SourceUnknown,
    SymbolUnknown,
    create_source,
    known_sources,
)
from mts1b_marketdata.csv_source.reader import read_quotes, read_trades
from mts1b_platform.clock import VirtualClock
from pydantic import ValidationError

SPX = Symbol("SPX")
BARS = """Date,Open,High,Low,Close,Volume
10/06/2008,1097.56,1097.56,1007.97,1056.89,7956020000
10/07/2008,1057.60,1072.91,996.23,996.23,7069210000
"""


@pytest.fixture
def write(tmp_path):
    def _write(text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return _write


def _spx(path, **changes):
    declared = {
        "path": path,
        "symbol": "SPX",
        "timezone": "America/New_York",
        "timestamp_format": "%m/%d/%Y",
        "session_close": time(16),
        "columns": {
            "timestamp": "Date",
            "open": "Open",
            "high": "High",
            "low": "Low",
            "close": "Close",
            "volume": "Volume",
        },
    }
    return CsvFile.model_validate(declared | changes)


def test_it_is_a_source():
    client = CsvClient()
    assert isinstance(client, MarketDataProtocol)
    for name in ("get_quote", "get_bars", "get_trades"):
        assert inspect.iscoroutinefunction(getattr(client, name))
    assert inspect.isasyncgenfunction(client.stream_quotes)


async def test_bars_are_exact_and_end_at_the_session_close_in_utc(write):
    client = CsvClient(bars=_spx(write(BARS)))
    first, second = await client.get_bars(SPX, "1d", datetime(2008, 1, 1, tzinfo=UTC))
    assert first.timestamp == datetime(2008, 10, 6, 20, tzinfo=UTC)
    assert (first.close, second.volume) == (Decimal("1056.89"), 7069210000)
    assert await client.get_bars(SPX, "1d", first.timestamp) == [second]
    assert await client.get_bars(SPX, "1d", first.timestamp, first.timestamp) == []


async def test_bars_stamped_with_their_start_are_moved_to_their_end(write):
    text = "timestamp,symbol,open,high,low,close\n2026-05-22T13:30:00Z,AAPL,1,2,1,2\n"
    client = CsvClient(bars=CsvFile(path=write(text), interval="1m", stamps="start"))
    (bar,) = await client.get_bars(Symbol("AAPL"), "1m", datetime(2026, 1, 1, tzinfo=UTC))
    assert bar.start == datetime(2026, 5, 22, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BARS.replace("1097.56,1007", "900,1007"), r"line 2, column 'Open'.*high_below_low"),
        (BARS.replace("1056.89", "x"), r"line 2, column 'Close': 'x' is no number"),
        (BARS.replace("1056.89", "NaN"), r"column 'Close': 'NaN' is no finite"),
        (BARS.replace("996.23,996.23", ",996.23"), r"line 3, column 'Low': empty"),
        (BARS.replace("10/07", "13/07"), r"line 3, column 'Date': '13/07/2008' is no time"),
        (BARS.replace("10/07", "10/06"), r"two bars of SPX"),
        (BARS.replace("Close", "Last"), r"no column Close; it has Date, Open, High, Low, Last"),
        (BARS.replace("Volume", "Close"), r"column 'Close' is there twice"),
        ("", r"is no CSV file"),
    ],
)
async def test_what_is_wrong_is_said_with_file_line_and_column(write, text, message):
    client = CsvClient(bars=_spx(write(text)))
    with pytest.raises(SourceFileError, match=message):
        await client.get_bars(SPX, "1d", datetime(2008, 1, 1, tzinfo=UTC))


async def test_crossed_quotes_are_refused(write):
    path = write("timestamp,bid,ask\n2026-05-22T13:30:00Z,101,100\n")
    with pytest.raises(SourceFileError, match="bid 101, ask 100: crossed"):
        await CsvClient(quotes=CsvFile(path=path, kind="quotes", symbol="SPX")).get_quote(SPX)


async def test_what_is_not_declared_is_not_offered(write):
    client = CsvClient(bars=_spx(write(BARS)))
    with pytest.raises(NotOffered, match="quotes=CsvFile"):
        await client.get_quote(SPX)
    with pytest.raises(NotOffered, match="holds 1d bars, not 1m"):
        await client.get_bars(SPX, "1m", datetime(2008, 1, 1, tzinfo=UTC))
    with pytest.raises(SymbolUnknown, match="no IXIC; it has SPX"):
        await client.get_bars(Symbol("IXIC"), "1d", datetime(2008, 1, 1, tzinfo=UTC))
    with pytest.raises(SourceFileError, match="no file"):
        await CsvClient(bars=_spx("nowhere.csv")).get_bars(SPX, "1d", datetime.now(UTC))


def test_a_declaration_is_checked_at_once():
    for wrong, message in (
        ({"columns": {"price": "Px"}}, "columns names price"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"interval": "2m"}, "2m"),
        ({"kind": "news"}, "kind"),
    ):
        with pytest.raises(ValidationError, match=message):
            _spx("x.csv", **wrong)


TICKS = """timestamp,symbol,bid,ask,bid_size
2026-05-22T13:30:02Z,MSFT,50,51,7
2026-05-22T13:30:00Z,AAPL,99,101,5
2026-05-22T13:30:10Z,AAPL,100,102,6
"""


async def test_quotes_stream_in_order_of_time(write):
    client = CsvClient(quotes=CsvFile(path=write(TICKS), kind="quotes"))
    both = [q async for q in client.stream_quotes([Symbol("AAPL"), Symbol("MSFT")])]
    assert [(q.symbol, q.bid, q.bid_size) for q in both] == [
        ("AAPL", 99, 5),
        ("MSFT", 50, 7),
        ("AAPL", 100, 6),
    ]
    assert await client.get_quote(Symbol("AAPL")) == both[2]


async def test_streaming_can_keep_the_recorded_pace(write):
    clock = VirtualClock(datetime(2026, 6, 1, tzinfo=UTC))
    file = CsvFile(path=write(TICKS), kind="quotes")
    client = CsvClient(quotes=file, speed=2.0, clock=clock)
    stream = client.stream_quotes([Symbol("AAPL")])
    await anext(stream)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    clock.advance(4.9)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(0.1)
    assert (await waiting).bid == 100
    await stream.aclose()


async def test_trades_up_to_a_time(write):
    text = "timestamp,symbol,price,quantity\n2026-05-22T13:30:0{}Z,AAPL,{},2\n"
    body = "".join(
        (text.format(n, 10 + n) if n == 0 else text.format(n, 10 + n).splitlines()[1] + "\n")
        for n in range(3)
    )
    client = CsvClient(trades=CsvFile(path=write(body), kind="trades"))
    at = datetime(2026, 5, 22, 13, 30, 1, tzinfo=UTC)
    trades = await client.get_trades(Symbol("AAPL"), at)
    assert [t.price for t in trades] == [10, 11]
    assert len({t.trade_id for t in trades}) == 2
    assert await client.get_trades(Symbol("AAPL"), at - timedelta(days=1)) == []


def test_the_registry_builds_and_refuses(write):
    clock = VirtualClock(datetime(2026, 6, 1, tzinfo=UTC))
    assert "csv" in known_sources()
    options = {"quotes": {"path": write(TICKS), "kind": "quotes"}}
    assert isinstance(create_source("csv", options, clock=clock), CsvClient)
    with pytest.raises(SourceUnknown, match="known: csv"):
        create_source("reuters", {}, clock=clock)
    with pytest.raises(SourceUnknown, match="option paht"):
        create_source("csv", {"paht": 1}, clock=clock)


@pytest.mark.parametrize(
    ("text", "changes", "end"),
    [
        # Known before the day has begun, a bar would tell the future.
        ("2026-03-02", {}, datetime(2026, 3, 3, 5, tzinfo=UTC)),
        ("20260302", {"timestamp_format": "%Y%m%d"}, datetime(2026, 3, 3, 5, tzinfo=UTC)),
        ("2026-03-07", {}, datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("2026-03-08", {}, datetime(2026, 3, 9, 4, tzinfo=UTC)),  # 23 hours long
        ("2026-03-02", {"stamps": "start"}, datetime(2026, 3, 3, 5, tzinfo=UTC)),
        ("2026-03-02", {"session_close": time(16)}, datetime(2026, 3, 2, 21, tzinfo=UTC)),
        (
            "2026-03-02",
            {"stamps": "start", "session_close": time(16)},
            datetime(2026, 3, 2, 21, tzinfo=UTC),
        ),
        (
            "2026-03-02",
            {"stamps": "start", "interval": "1w", "session_close": time(16)},
            datetime(2026, 3, 8, 20, tzinfo=UTC),
        ),
        ("2026-11-01", {"stamps": "start"}, datetime(2026, 11, 2, 5, tzinfo=UTC)),  # 25 hours
        ("2026-11-01 00:00", {"stamps": "start"}, datetime(2026, 11, 2, 5, tzinfo=UTC)),
        ("2026-03-02 00:00:00", {"session_close": time(16)}, datetime(2026, 3, 2, 21, tzinfo=UTC)),
        ("2026-03-02 16:00", {}, datetime(2026, 3, 2, 21, tzinfo=UTC)),
        ("2026-03-02 00:00", {}, datetime(2026, 3, 2, 5, tzinfo=UTC)),
        ("2026-11-01T01:30:00-04:00", {}, datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_bar_never_ends_before_it_can_be_known(text, changes, end):
    declared = {"path": "x.csv", "symbol": "SPX", "timezone": "America/New_York", **changes}
    assert CsvFile.model_validate(declared).parse_time(text) == end


def test_the_day_of_a_quote_is_its_beginning():
    file = CsvFile(path="x.csv", symbol=SPX, kind="quotes")
    assert file.parse_time("2026-03-02") == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("2026-11-01 01:30", {}, "clocks of America/New_York change"),
        ("2026-03-08 02:30", {}, "clocks of America/New_York change"),
        ("2026-03-02 10:31", {"session_close": time(16)}, "session_close is not for it"),
        ("2026-03-02", {"interval": "1m"}, "bars of 1m need a time of day"),
    ],
)
def test_a_time_that_would_have_to_be_guessed_is_refused(write, text, changes, message):
    path = write(f"timestamp,open,high,low,close\n{text},1,1,1,1\n")
    declared = {"path": path, "symbol": "SPX", "timezone": "America/New_York", **changes}
    file = CsvFile.model_validate({"interval": "1d", **declared})
    with pytest.raises(SourceFileError, match=message):
        asyncio.run(CsvClient(bars=file).get_bars(SPX, file.interval, datetime.now(UTC)))


@pytest.mark.parametrize("text", ["1_000", "\u0661\u0662", "1e400", "1e-400", "-1e400"])
def test_a_price_that_no_float_holds_or_only_python_reads_is_refused(write, text):
    path = write(f"timestamp,open,high,low,close\n2026-03-02,{text},{text},{text},{text}\n")
    client = CsvClient(bars=CsvFile(path=path, symbol=SPX))
    with pytest.raises(SourceFileError, match="line 2, column 'open'"):
        asyncio.run(client.get_bars(SPX, "1d", datetime(2026, 1, 1, tzinfo=UTC)))


def test_blank_lines_are_no_rows(write):
    client = CsvClient(bars=CsvFile(path=write(PLAIN), symbol=SPX))
    bars = asyncio.run(client.get_bars(SPX, "1d", datetime(2026, 1, 1, tzinfo=UTC)))
    assert [bar.timestamp.day for bar in bars] == [3, 4]


PLAIN = """timestamp,open,high,low,close

2026-03-02,1,1,1,1

2026-03-03,1,1,1,1

"""


def test_a_file_is_read_by_its_own_name_and_by_no_pattern(write):
    """The prices of file1.csv came for file[1].csv, as browsers name a second download."""
    write("timestamp,bid,ask\n2026-01-02T14:30:00Z,1,1.01\n", "file1.csv")
    path = write("timestamp,bid,ask\n2026-01-02T14:30:00Z,9,9.01\n", "file[1].csv")
    (quote,) = read_quotes(CsvFile(path=path, kind="quotes", symbol="SPX"))
    assert quote.bid == 9
    with pytest.raises(SourceFileError, match="no file"):
        read_quotes(CsvFile(path=path.replace("[1]", "*"), kind="quotes", symbol="SPX"))
    with pytest.raises(SourceFileError, match="is no CSV file"):
        read_quotes(CsvFile(path=f"{path}/inside.csv", kind="quotes", symbol="SPX"))


def test_a_trade_or_a_size_that_no_float_holds_is_refused(write):
    trades = write("timestamp,price,quantity\n2026-01-02T14:30:00Z,1e400,5\n", "trades.csv")
    with pytest.raises(SourceFileError, match=r"'price': '1e400' is no finite number"):
        read_trades(CsvFile(path=trades, kind="trades", symbol="SPX"))
    quotes = write("timestamp,bid,ask,bid_size\n2026-01-02T14:30:00Z,1,1.01,1e9999\n", "q.csv")
    with pytest.raises(SourceFileError, match=r"'bid_size': '1e9999' is no finite number"):
        read_quotes(CsvFile(path=quotes, kind="quotes", symbol="SPX"))


def test_a_time_without_a_zone_is_refused_by_name(write):
    path = write("timestamp,open,high,low,close\n2026-03-02,1,1,1,1\n")
    client = CsvClient(bars=CsvFile(path=path, symbol=SPX))
    aware, naive = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="start 2026-06-01T00:00:00 has no zone"):
        asyncio.run(client.get_bars(SPX, "1d", naive))
    with pytest.raises(ValueError, match="end 2026-06-01T00:00:00 has no zone"):
        asyncio.run(client.get_bars(SPX, "1d", aware, naive))
    trades = CsvFile(
        path=write("timestamp,price,quantity\n2026-03-02T15:00:00Z,1,5\n", "trades.csv"),
        kind="trades",
        symbol=SPX,
    )
    with pytest.raises(ValueError, match="asof 2026-06-01T00:00:00 has no zone"):
        asyncio.run(CsvClient(trades=trades).get_trades(SPX, naive))
