"""Every model: frozen, closed, round-trips through JSON, has a schema."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mts1b_foundation.model import FrozenModel, UtcDatetime
from mts1b_foundation.schema import all_models, json_schema
from mts1b_foundation.symbology import Symbol
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

MODELS = all_models()
TIMES = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))]),
)
POSITIVE = st.decimals(min_value="0.0001", max_value="1000000", places=4)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=5, max_size=12)
SYMBOLS = st.sampled_from(["AAPL", "BRK.B", "BTC-USD", "ES@202612"]).map(Symbol)


def limits(field: FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in field.metadata:
        for name in ("gt", "ge", "lt", "le"):
            if getattr(item, name, None) is not None:
                found[name] = getattr(item, name)
        found.update(getattr(item, "__dict__", {}).get("_attributes_set", {}))
    return found


def values_of(annotation: Any, field: FieldInfo | None, name: str) -> st.SearchStrategy[Any]:
    """Return values of one annotated type; enough of the type system for our models."""
    bounds = limits(field) if field is not None else {}
    origin, args = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        inner = FieldInfo.from_annotation(annotation)
        return values_of(args[0], inner, name)
    if origin in (Union, UnionType):
        options = [values_of(arg, field, name) for arg in args if arg is not NoneType]
        return st.one_of(st.none(), *options) if NoneType in args else st.one_of(*options)
    if origin in (list, tuple):
        inside = st.lists(values_of(args[0], None, name), max_size=2)
        return inside.map(tuple) if origin is tuple else inside
    if origin is dict:
        value = st.integers(0, 9) if args[1] is Any else values_of(args[1], None, name)
        return st.dictionaries(values_of(args[0], None, name), value, max_size=2)
    return plain_values(annotation, bounds, name)


def plain_values(annotation: Any, bounds: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    if annotation is datetime:
        return TIMES
    if annotation is Symbol:
        return SYMBOLS
    if annotation is Decimal:
        if "le" in bounds:
            return POSITIVE.map(lambda value: -value / 1000000)
        return POSITIVE
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if isinstance(annotation, type) and issubclass(annotation, FrozenModel):
        return instances(annotation)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(bounds.get("ge", bounds.get("gt", 0) + 1), bounds.get("le", 9))
    if annotation is float:
        return st.floats(0.01, 1.0)
    if name in ("cosigned_by", "signed_by"):
        return WORDS.map(lambda word: f"operator:{word}")
    if name == "interval":
        return st.sampled_from(["1m", "1d", "1w"])
    if name == "reason":
        return WORDS.map(lambda word: f"because of {word}")
    return WORDS if annotation is str else st.from_type(annotation)


@st.composite
def instances(draw: st.DrawFn, model: type[FrozenModel]) -> FrozenModel:
    """Draw fields one by one, then repair what rules between fields ask for."""
    values = {
        name: draw(values_of(field.annotation, field, name))
        for name, field in model.model_fields.items()
    }
    repair(draw, model.__name__, values)
    return model.model_validate(values)


def repair(draw: st.DrawFn, name: str, values: dict[str, Any]) -> None:
    if name in ("Order", "RiskApproval"):
        kind = values["order_type"]
        values["limit_price"] = draw(POSITIVE) if kind.needs_limit_price else None
        values["stop_price"] = draw(POSITIVE) if kind.needs_stop_price else None
        if name == "Order":
            later = values["created_at"] + timedelta(days=1)
            values["expires_at"] = later if values["tif"].value == "gtd" else None
    if name == "Quote":
        values["ask"] = values["bid"] + values["ask"]
    if name == "Bar":
        low, high = sorted((values["low"], values["high"]))
        values.update(low=low, high=high, open=low, close=high)
    if name == "MarketSnapshot":
        values.update(quotes={}, bars={})
    if name == "HaltRequest":
        values.update({k: draw(WORDS) for k in ("fund_id", "strategy_id", "venue", "symbol")})
    if name == "FillCorrection":
        values.update({k: draw(POSITIVE) for k in ("quantity", "price", "fees")})
    if name == "VenueCard":
        windowed = values["dedupe"].value == "window"
        values["dedupe_window_s"] = 600.0 if windowed else None
    if name == "SoftOverride":
        values["expires_at"] = values["requested_at"] + timedelta(minutes=5)
        for place, name in (("requested_by", "operator:ann"), ("approved_by", "operator:bob")):
            values[place] = values[place].with_(signed_by=name)
    if name == "Session":
        values["closes_at"] = values["opens_at"] + timedelta(hours=6)
    if name == "RiskDecision" and values["approval"] is None:
        values["approved"] = False


@pytest.mark.parametrize("name", MODELS)
def test_a_model_round_trips_through_json(name: str) -> None:
    model = MODELS[name]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(model))
    def check(value: FrozenModel) -> None:
        again = model.model_validate_json(value.model_dump_json())
        assert again == value
        assert again.model_dump_json() == value.model_dump_json()
        assert value.with_() == value

    check()


def outcome(make: Callable[[], FrozenModel]) -> FrozenModel | str:
    try:
        return make()
    except ValidationError as problem:
        return str(problem)


@pytest.mark.parametrize("name", MODELS)
def test_a_changed_copy_is_what_validating_everything_anew_gives(name: str) -> None:
    model = MODELS[name]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(model), instances(model), st.data())
    def check(value: FrozenModel, other: FrozenModel, data: st.DataObject) -> None:
        names = data.draw(st.sets(st.sampled_from(sorted(model.model_fields)), max_size=4))
        bad = data.draw(st.sampled_from([None, "", -1, float("nan"), "nonsense"]))
        changes = {name: getattr(other, name) for name in names}
        if data.draw(st.booleans()):
            changes |= dict.fromkeys(sorted(names)[:1], bad)
        whole = {field: getattr(value, field) for field in model.model_fields} | changes
        anew = outcome(lambda: model.model_validate(whole))
        changed = outcome(lambda: value.with_(**changes))
        if isinstance(anew, str) or isinstance(changed, str):
            assert changed == anew
            return
        assert changed == anew
        assert changed.model_dump_json() == anew.model_dump_json()
        assert changed.model_fields_set == anew.model_fields_set
        assert [type(part) for part in vars(changed).values()] == [
            type(part) for part in vars(anew).values()
        ]

    check()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_refuses_unknown_fields_and_changes(name: str) -> None:
    model = MODELS[name]

    @settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(model))
    def check(value: FrozenModel) -> None:
        with pytest.raises(ValidationError, match="Extra inputs"):
            model.model_validate({**value.model_dump(), "surprise": 1})
        first = next(iter(model.model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, first, getattr(value, first))

    check()


@pytest.mark.parametrize("zone", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_utc_does_not_have_is_refused(zone: str) -> None:
    """Any other error than this one would end who reads the message, each time anew."""
    with pytest.raises(ValidationError, match="no year"):
        TypeAdapter(UtcDatetime).validate_json(json.dumps(zone))


@pytest.mark.parametrize("name", MODELS)
def test_no_time_of_any_model_may_be_naive(name: str) -> None:
    model = MODELS[name]
    times = [n for n, f in model.model_fields.items() if "datetime.datetime" in str(f.annotation)]

    @settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(model))
    def check(value: FrozenModel) -> None:
        for field in times:
            given_values = {n: getattr(value, n) for n in model.model_fields}
            given_values[field] = datetime(2026, 1, 2)  # noqa: DTZ001
            with pytest.raises(ValidationError, match="no time zone"):
                model.model_validate(given_values)

    check()


def test_the_schema_command_prints_every_model() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mts1b_foundation.schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    definitions = json.loads(run.stdout)["$defs"]
    assert set(MODELS) <= set(definitions)
    assert definitions["Order"]["additionalProperties"] is False


def test_the_schema_of_an_unknown_model_is_refused() -> None:
    with pytest.raises(LookupError, match="no model Ordr"):
        json_schema(["Ordr"])


def test_foundation_needs_pydantic_and_typing_extensions_alone() -> None:
    code = (
        "import sys, mts1b_foundation, mts1b_foundation.nats, mts1b_foundation.protocols;"
        "print({m.split('.')[0] for m in sys.modules} & {'numpy', 'pandas', 'nats', 'yaml'})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
