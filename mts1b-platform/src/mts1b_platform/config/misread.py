"""What a file says in one word and a model would read as another: yes as 1, 2000 as 1970."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["misread"]

Path = tuple[str | int, ...]
_NUMBERS = (int, float, Decimal)


def misread(value: Any, kind: Any, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """Yield where, what is wanted and what was given, for values that pass as something else.

    ``yes`` is 1 to a number, and a number is seconds since 1970 to a time; a loss limit of ``yes``
    would be no limit.

    :param value: as the file has it.
    :param kind: the annotation that it is read as.
    """
    for each in _alternatives(kind):
        origin, inner = get_origin(each), get_args(each)
        if isinstance(value, dict) and isinstance(each, type) and issubclass(each, BaseModel):
            for name, field in each.model_fields.items():
                if name in value:
                    yield from misread(value[name], field.annotation, (*path, name))
        elif isinstance(value, dict) and origin is dict:
            for name, item in value.items():
                yield from misread(item, inner[1], (*path, str(name)))
        elif isinstance(value, list) and origin is list:
            for index, item in enumerate(value):
                yield from misread(item, inner[0], (*path, index))
    wanted = _mistaken(value, [each for each in _alternatives(kind) if isinstance(each, type)])
    if wanted:
        yield path, wanted, value


def _mistaken(value: Any, kinds: list[type]) -> str:
    """Return what is wanted where the value passes for it without being it; else nothing."""
    if isinstance(value, bool):
        number = any(issubclass(kind, _NUMBERS) for kind in kinds)
        return "a number" if number and bool not in kinds else ""
    if isinstance(value, int | float) and any(issubclass(kind, date) for kind in kinds):
        return "a time, e.g. 2000-01-03T21:00:00Z,"
    return ""


def _alternatives(kind: Any) -> Iterator[Any]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for each in get_args(kind):
            yield from _alternatives(each)
    else:
        yield kind
