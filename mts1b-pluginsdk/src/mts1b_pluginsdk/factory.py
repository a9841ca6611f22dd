"""Find what makes the clients of a plugin under test: ``package.module:name``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

from mts1b_pluginsdk.errors import FactoryUnusable

__all__ = ["load_factory", "within"]

_AT_IMPORT = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What the code of a module raises as a rule when it is imported."""

_SHAPE = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<name>\w+(\.\w+)*)")


def load_factory(text: str) -> Callable[[], Any]:
    """Import and return what ``package.module:name`` stands for.

    :raises FactoryUnusable: when the text is badly formed, leads nowhere or to no callable.
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise FactoryUnusable(f"{text!r} is not of the form package.module:name")
    try:
        module = importlib.import_module(found["module"])
    except ImportError as error:
        raise FactoryUnusable(
            f"can not import {found['module']}: {error}; is the plugin installed here?"
        ) from error
    except _AT_IMPORT as error:
        raise FactoryUnusable(
            f"can not import {found['module']}: it raised {type(error).__name__}: {error}"
        ) from error
    try:
        factory = reduce(getattr, found["name"].split("."), module)
    except AttributeError as error:
        raise FactoryUnusable(f"{found['module']} has no {found['name']}") from error
    if not callable(factory):
        raise FactoryUnusable(f"{text} is a {type(factory).__name__}, not something to call")
    return factory


def within(sandbox: Callable[..., Any], factory: Callable[..., Any]) -> Callable[[], Any]:
    """Return what makes a new sandbox, in which ``factory`` makes a client of its account."""

    def account() -> Any:
        return sandbox(factory)

    return account
