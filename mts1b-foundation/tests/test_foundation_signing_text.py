"""The texts that signatures cover."""

from decimal import Decimal

import pytest
from mts1b_foundation.model import canonical_text


@pytest.mark.parametrize("text", ["1e999999999", "-1e-999999999", "0e-999999999", "1e1001"])
def test_a_decimal_of_a_million_places_is_refused_before_it_is_written_out(text: str) -> None:
    with pytest.raises(ValueError, match="more places than are ever written out"):
        canonical_text(Decimal(text))


def test_equal_decimals_have_one_text() -> None:
    assert {canonical_text(Decimal(text)) for text in ("100", "100.0", "1E+2")} == {"100"}
    assert canonical_text(Decimal("1e-30")) == "0." + "0" * 29 + "1"
    assert canonical_text(Decimal("1e1000")) == "1" + "0" * 1000
