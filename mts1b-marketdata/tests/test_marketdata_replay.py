"""The tape: proven, in order, exact."""

import itertools
import json
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_marketdata import DatasetChanged, DatasetMissing, PriceTooSmall, ReplayFeed
from mts1b_marketdata.replay import exact


def test_ticks_come_in_order_of_time_with_bars_by_symbol(home):
    feed = ReplayFeed.open(home, dataset="sample")
    ticks = list(feed.ticks())
    assert [tick.tick for tick in ticks] == list(range(30)) == list(range(feed.total))
    assert all(a.as_of < b.as_of for a, b in itertools.pairwise(ticks))
    assert [str(bar.symbol) for bar in ticks[9].bars] == ["SPX"]
    assert [str(bar.symbol) for bar in ticks[10].bars] == ["IXIC", "SPX"]
    assert all(bar.timestamp == tick.as_of for tick in ticks for bar in tick.bars)
    assert sum(len(tick.bars) for tick in ticks) == 50


def test_prices_are_exact_decimals(home):
    bar = next(iter(ReplayFeed.open(home, dataset="sample", symbols=("IXIC",)).ticks()))
    assert bar.bars[0].close == Decimal("1800.1")
    assert bar.bars[0].high == Decimal("1818.101")


@given(st.floats(min_value=1e-4, max_value=1e12, allow_nan=False))
@settings(max_examples=50)
def test_a_float_becomes_its_shortest_decimal_with_at_most_six_places(value):
    number = exact(value)
    assert abs(number - Decimal(value)) <= Decimal("0.0000005") + abs(Decimal(value)) * Decimal(
        "1e-15"
    )
    assert number.as_tuple().exponent >= -6


@pytest.mark.parametrize(("price", "fits"), [(0.0005678, True), (1.234e-5, False), (1e-9, False)])
def test_a_price_that_six_decimals_would_move_is_refused(lake, bars_frame, tmp_path, price, fits):
    """A coin at 0.00001234 was replayed at 0.000012, three percent lower."""
    flat = {name: [price] for name in ("open", "high", "low", "close")}
    lake(tmp_path, {"COIN-USD": bars_frame("COIN-USD", [1.0], **flat)})
    ticks = ReplayFeed.open(tmp_path, dataset="sample").ticks()
    if fits:
        assert float(next(ticks).bars[0].close) == pytest.approx(price, rel=1e-3)
        return
    with pytest.raises(PriceTooSmall, match="import it in a larger unit"):
        next(ticks)


def test_resuming_gives_the_rest_of_the_same_ticks(home):
    feed = ReplayFeed.open(home, dataset="sample")
    assert list(feed.ticks(17)) == list(feed.ticks())[17:]
    assert list(feed.ticks(30)) == []


def test_the_period_is_cut_at_both_ends_included(home):
    whole = ReplayFeed.open(home, dataset="sample")
    part = ReplayFeed.open(home, dataset="sample", start=whole.as_of(3), end=whole.as_of(7))
    assert (part.total, part.as_of(0), part.as_of(4)) == (5, whole.as_of(3), whole.as_of(7))


def test_the_run_id_names_data_symbols_and_period(home, lake, bars_frame, tmp_path):
    run_id = ReplayFeed.open(home, dataset="sample").run_id
    assert ReplayFeed.open(home, dataset="sample").run_id == run_id
    assert ReplayFeed.open(home, dataset="sample", symbols=("IXIC", "SPX")).run_id == run_id
    assert ReplayFeed.open(home, dataset="sample", symbols=("SPX",)).run_id != run_id
    lake(tmp_path, {"SPX": bars_frame("SPX", [1.0, 2.0])})
    assert ReplayFeed.open(tmp_path, dataset="sample").run_id != run_id


def test_what_is_missing_is_named_with_a_remedy(home):
    with pytest.raises(DatasetMissing, match="mts data import"):
        ReplayFeed.open(home, dataset="nothing")
    with pytest.raises(DatasetMissing, match=r"no DAX.*IXIC, SPX"):
        ReplayFeed.open(home, dataset="sample", symbols=("DAX",))
    with pytest.raises(DatasetMissing, match="holds 1d bars, not 1m"):
        ReplayFeed.open(home, dataset="sample", interval="1m")
    late = ReplayFeed.open(home, dataset="sample").as_of(29) + timedelta(days=1)
    with pytest.raises(DatasetMissing, match="widen"):
        ReplayFeed.open(home, dataset="sample", start=late)


def test_one_changed_byte_is_found(home):
    path = home / "lake" / "bars" / "sample" / "SPX.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetChanged, match=r"SPX\.parquet was changed"):
        ReplayFeed.open(home, dataset="sample")
    path.unlink()
    with pytest.raises(DatasetChanged, match="is gone"):
        ReplayFeed.open(home, dataset="sample")


def test_a_changed_manifest_is_found(home):
    path = home / "lake" / "bars" / "sample" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["rows"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(DatasetChanged, match="hash is wrong"):
        ReplayFeed.open(home, dataset="sample")
    path.write_text("{")
    with pytest.raises(DatasetChanged, match="no manifest"):
        ReplayFeed.open(home, dataset="sample")


def test_unordered_empty_and_unfit_rows_are_refused(lake, bars_frame, tmp_path):
    frame = bars_frame("SPX", [1.0, 2.0, 3.0])
    for wrong, message in (
        (frame.reverse(), "not sorted"),
        (pl.concat([frame[:1], frame[:1]]), "twice"),
        (frame.with_columns(close=pl.lit(None, pl.Float64)), "empty cells"),
        (frame.drop("volume"), "lacks a column"),
    ):
        lake(tmp_path, {"SPX": wrong})
        with pytest.raises(DatasetChanged, match=message):
            ReplayFeed.open(tmp_path, dataset="sample")
    lake(tmp_path, {"SPX": frame.with_columns(low=pl.col("high") * 2)})
    with pytest.raises(DatasetChanged, match="high_below_low"):
        list(ReplayFeed.open(tmp_path, dataset="sample").ticks())
