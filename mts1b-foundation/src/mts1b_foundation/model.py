"""The frozen base of every model, and the value types that they share."""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo

__all__ = [
    "FiniteDecimal",
    "FrozenModel",
    "Identifier",
    "NonNegativeDecimal",
    "PositiveDecimal",
    "UtcDatetime",
    "canonical_text",
    "signing_fields_of",
]


ModelT = TypeVar("ModelT", bound="FrozenModel")

_MOST_PLACES = 1_000


def _require_aware(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(
            f"time {value.isoformat()} has no time zone; give an aware time, e.g. with tzinfo=UTC"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"time {value.isoformat()} is in no year from 1 to 9999 of UTC") from None


UtcDatetime = Annotated[datetime, AfterValidator(_require_aware)]
"""An aware time, kept in UTC. A naive time is refused."""

FiniteDecimal = Annotated[Decimal, Field(allow_inf_nan=False)]
PositiveDecimal = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
NonNegativeDecimal = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class FrozenModel(BaseModel):
    """Be an immutable value that refuses unknown fields and round-trips through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_(self, **changes: Any) -> Self:
        """Return a validated copy with ``changes`` applied.

        Unlike ``model_copy``, every validator runs again, so a copy can not be less valid than
        the original.

        :raises pydantic.ValidationError: when a change breaks a rule or names no field.
        """
        copier = _copier_of(type(self))
        if copier is not None:
            changed = copier.copy(self, changes)
            if changed is not None:
                return changed
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate(values | changes)


class _Copier:
    """Copy models of one class, validating what changes and what relates fields to each other.

    What is unchanged was validated when the original was made, and is immutable. A change that
    does not hold is left to pydantic itself, which says what is wrong.
    """

    __slots__ = ("_fields", "_names", "_relations")

    def __init__(self, model: type[FrozenModel]) -> None:
        self._names = set(model.model_fields)  # shared by all copies: nothing changes it
        self._fields = {
            name: TypeAdapter(_type_of(field)).validator.validate_python
            for name, field in model.model_fields.items()
        }
        relations = model.__pydantic_decorators__.model_validators
        self._relations = [getattr(model, name) for name in relations]

    def copy(self, original: ModelT, changes: dict[str, Any]) -> ModelT | None:
        """Return the changed copy; None where something does not hold."""
        values = original.__dict__.copy()
        fields, put = self._fields, object.__setattr__
        try:
            for name, value in changes.items():
                values[name] = fields[name](value)
            changed = object.__new__(type(original))
            put(changed, "__dict__", values)
            put(changed, "__pydantic_fields_set__", self._names)
            put(changed, "__pydantic_extra__", None)
            put(changed, "__pydantic_private__", None)
            for holds in self._relations:
                holds(changed)
        except (LookupError, ValueError):
            return None
        return changed


def _type_of(field: FieldInfo) -> Any:
    kind: Any = field.annotation
    return Annotated[kind, *field.metadata] if field.metadata else kind


@cache
def _copier_of(model: type[FrozenModel]) -> _Copier | None:
    """Return what copies models of a class; None where only pydantic knows how."""
    told = model.__pydantic_decorators__
    relations = told.model_validators.values()
    plain = not (told.field_validators or told.validators or told.root_validators)
    after = all(one.info.mode == "after" for one in relations)
    by_name = all(field.validation_alias is None for field in model.model_fields.values())
    if plain and after and by_name and not model.__private_attributes__:
        return _Copier(model)
    return None


def canonical_text(value: object) -> str:
    """Return the one text of a value that signatures cover: 100, 100.0 and 1E+2 are the same.

    None is the empty text; times are UTC with microseconds.

    :raises ValueError: for a decimal of more than a thousand places.
    """
    return WRITERS[type(value)](value)


def signing_fields_of(
    model: FrozenModel, *, besides: Set[str] = frozenset()
) -> list[tuple[str, str]]:
    """Return (name, text) of every field but the signature, in the order of declaration.

    :param besides: fields that are left out too.
    """
    return [
        (name, canonical_text(getattr(model, name)))
        for name in type(model).model_fields
        if name != "signature" and name not in besides
    ]


def _decimal_text(value: Decimal) -> str:
    if abs(value.adjusted()) > _MOST_PLACES:  # 1E-999999999 would be a text of a gigabyte
        raise ValueError(f"{value} has more places than are ever written out")
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time_text(value: datetime) -> str:
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


class _Writers(dict[type, Callable[[Any], str]]):
    """What writes the values of each type, found once."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        writer = self[kind] = _writer_of(kind)
        return writer


WRITERS = _Writers()
"""By type, the function behind :func:`canonical_text`."""


def _writer_of(kind: type) -> Callable[[Any], str]:
    """Return what writes values of a type; an enumeration's member is written as its value."""
    if kind is type(None):
        return lambda value: ""
    if issubclass(kind, bool):
        return lambda value: "true" if value else "false"
    if issubclass(kind, Decimal):
        return _decimal_text
    return _time_text if issubclass(kind, datetime) else str
