"""The algebra of exposure, against a slow and obvious recount."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import AssetClass, Side, Symbol
from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.lines import FundLines, Line, LineKey
from riskengine_desk import make_order

STRATEGIES = ("trend", "carry")
SYMBOLS = (Symbol("AAPL"), Symbol("MSFT"), Symbol("BTC-USD"))
FACTS = {
    SYMBOLS[0]: InstrumentFacts(AssetClass.EQUITIES, currency="USD", sector="tech", country="US"),
    SYMBOLS[1]: InstrumentFacts(AssetClass.EQUITIES, currency="EUR", sector="tech", country="DE"),
    SYMBOLS[2]: InstrumentFacts(AssetClass.CRYPTO),
}
units = st.decimals("0", "1000", places=3)
signed = st.decimals("-1000", "1000", places=3)
prices = st.decimals("0.01", "9999", places=4)
lines = st.builds(Line, signed, units, units, prices)
keys = st.sampled_from(list(product(STRATEGIES, SYMBOLS)))


@given(st.lists(st.tuples(keys, lines), max_size=20))
@settings(max_examples=50)
def test_sums_kept_up_with_changes_equal_a_recount(changes: list[tuple[LineKey, Line]]) -> None:
    book, plain = FundLines(), dict[LineKey, Line]()
    for key, line in changes:
        book.put(key, line, FACTS[key[1]])
        plain[key] = line
    for kind, name, member in (
        ("fund", "", lambda key: True),
        ("strategy", "trend", lambda key: key[0] == "trend"),
        ("symbol", "AAPL", lambda key: key[1] == "AAPL"),
        ("asset_class", "equities", lambda key: FACTS[key[1]].asset_class == "equities"),
        ("sector", "tech", lambda key: FACTS[key[1]].sector == "tech"),
        ("country", "DE", lambda key: FACTS[key[1]].country == "DE"),
        ("currency", "EUR", lambda key: FACTS[key[1]].currency == "EUR"),
        ("currency", "USD", lambda key: False),
    ):
        total = book.total((kind, name))
        mine = [line for key, line in plain.items() if member(key)]
        assert total.gross == sum(line.gross for line in mine)
        assert total.high == sum(line.high for line in mine)
        assert total.low == sum(line.low for line in mine)
    assert book.open_buys == sum(line.open_buy * line.value for line in plain.values())
    tech = book.total(("sector", "tech")).gross
    assert book.largest("sector") == tech, "what has no sector is not the largest one"


@pytest.mark.parametrize(
    ("line", "gross"),
    [
        (Line(Decimal(5), open_buy=Decimal(10), value=Decimal(2)), 30),
        (Line(Decimal(5), open_sell=Decimal(20), value=Decimal(2)), 30),
        (Line(Decimal(-5), open_buy=Decimal(1), value=Decimal(2)), 10),
        (Line(Decimal(-5), open_sell=Decimal(4), value=Decimal(2)), 18),
    ],
)
def test_gross_is_what_a_line_may_come_to_on_either_side(line: Line, gross: int) -> None:
    assert line.gross == gross


@given(lines, st.sampled_from(list(Side)), st.decimals("0.001", "500", places=3), prices)
@settings(max_examples=50)
def test_measures_with_an_order_equal_a_book_that_holds_it(
    line: Line, side: Side, quantity: Decimal, other: Decimal
) -> None:
    def book(mine: Line) -> FundLines:
        made = FundLines()
        made.put(("carry", SYMBOLS[0]), Line(Decimal(-7), value=line.value), FACTS[SYMBOLS[0]])
        made.put(("trend", SYMBOLS[1]), Line(Decimal(5), value=other), FACTS[SYMBOLS[1]])
        made.put(("trend", SYMBOLS[0]), mine, FACTS[SYMBOLS[0]])
        return made

    order = make_order(side=side, quantity=quantity)
    terms = {"value": line.value, "facts": FACTS[SYMBOLS[0]]}
    before, after = ExposureProbe(book(line), order, **terms).measure()
    held = line.with_order(side.sign, quantity, line.value)
    assert ExposureProbe(book(held), order, **terms).measure()[0] == after
    judged_again = ExposureProbe(book(held), order, reserved=quantity, **terms)
    assert judged_again.measure() == (before, after)


@given(lines, st.sampled_from(list(Side)), st.decimals("0.001", "1500", places=3))
@settings(max_examples=50)
def test_a_reducing_order_never_raises_the_worst_case_nor_crosses_zero(
    line: Line, side: Side, quantity: Decimal
) -> None:
    after = line.with_order(side.sign, quantity, line.value)
    if line.would_reduce(quantity * side.sign):
        assert after.gross <= max(line.gross, abs(line.quantity * line.value))
        ends = (
            after.quantity - after.open_sell if side.sign < 0 else after.quantity + after.open_buy
        )
        assert ends * line.quantity >= 0


def test_flat_lines_measure_nothing() -> None:
    probe = ExposureProbe(FundLines(), make_order(), value=Decimal(100), facts=FACTS[SYMBOLS[0]])
    before, after = probe.measure()
    assert (before.gross, before.net, before.position) == (0, 0, 0)
    assert (after.gross, after.net, after.position) == (1000, 1000, 1000)
    assert not probe.reducing
    assert not probe.opens_short
