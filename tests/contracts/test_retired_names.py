"""L2: a name that is retired is never used again."""

from __future__ import annotations

import pytest

from tools.names import NamesBroken, check, current_names, read, renewed
from tools.names.__main__ import main

NOW = {"value OrderStatus.filled", "field Order.quantity"}


def test_l2_every_name_of_today_is_on_record_and_none_is_a_retired_one() -> None:
    check(current_names(), read())
    assert main([]) == 0
    assert main(["--read"]) == 2


def test_the_registry_sees_subjects_values_and_fields() -> None:
    names = current_names()
    assert "value OrderStatus.filled" in names
    assert "value DenyCode.MAX_POSITION_USD" in names
    assert "field Order.quantity" in names
    assert any(name.startswith("subject ") and "orders" in name for name in names)
    assert len(names) > 400


def test_l2_a_retired_name_breaks_the_build_and_no_renewal_mends_it() -> None:
    known = dict.fromkeys(NOW, False) | {"value OrderStatus.power_peg": True}
    again = {*NOW, "value OrderStatus.power_peg"}
    with pytest.raises(NamesBroken, match=r"power_peg; old records"):
        check(again, known)
    with pytest.raises(NamesBroken, match=r"power_peg; old records"):
        renewed(again, known)


def test_what_is_gone_is_retired_and_stays_on_record() -> None:
    known = dict.fromkeys(NOW, False)
    left = {"field Order.quantity"}
    with pytest.raises(NamesBroken, match=r"not on record as they are: value OrderStatus\.filled"):
        check(left, known)
    text = renewed(left, known)
    assert text == "field Order.quantity\nvalue OrderStatus.filled\tretired\n"


def test_what_is_new_must_be_put_on_record() -> None:
    known = dict.fromkeys(NOW, False)
    with pytest.raises(NamesBroken, match=r"field Order\.algo"):
        check({*NOW, "field Order.algo"}, known)
    assert "field Order.algo\n" in renewed({*NOW, "field Order.algo"}, known)
