"""Find what other packages offer, by entry point: listed without importing, loaded by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mts1b_platform.errors import FixConfiguration

__all__ = [
    "PluginBroken",
    "PluginMissing",
    "attempt",
    "load_entry_point",
    "load_plugin",
    "plugin_names",
    "refusal_of",
    "require_plugin",
    "warnings_of",
]

_CHECKS = "mts1b.checks"


class PluginMissing(FixConfiguration):
    """No installed package offers this name."""


class PluginBroken(FixConfiguration):
    """The package that offers the name can not be loaded."""


def plugin_names(group: str) -> list[str]:
    """Return the names that installed packages offer in ``group``."""
    return sorted({point.name for point in entry_points(group=group)})


def _find(group: str, name: str) -> EntryPoint:
    found = {point.value: point for point in entry_points(group=group) if point.name == name}
    if not found:
        raise PluginMissing(
            f"no {name!r} in {group}; installed: {', '.join(plugin_names(group)) or 'nothing'}"
        )
    if len(found) > 1:
        raise PluginBroken(f"{group}: two packages offer {name!r}: {', '.join(sorted(found))}")
    return next(iter(found.values()))


def require_plugin(group: str, name: str) -> None:
    """Make sure that exactly one package offers ``name``, without importing it.

    :raises PluginMissing: when nothing offers it.
    :raises PluginBroken: when two packages do.
    """
    _find(group, name)


def load_plugin(group: str, name: str) -> Any:
    """Import and return what ``name`` of ``group`` stands for.

    :raises PluginMissing: when nothing offers it.
    :raises PluginBroken: when importing it fails; the message names group, name and cause.
    """
    return load_entry_point(_find(group, name))


def load_entry_point(point: EntryPoint) -> Any:
    """Import and return what an entry point stands for.

    :raises PluginBroken: when importing it fails, however it fails.
    """
    loaded, error = attempt(point.load)
    if error is None:
        return loaded
    raise PluginBroken(
        f"{point.group}: {point.name!r} ({point.value}) can not be loaded: "
        f"{type(error).__name__}: {error}; mend or remove the package that offers it"
    ) from error


def attempt(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Run code of another package; return what it gave, or what it raised, whatever that is.

    Also where it would end the interpreter, which is not its own to end. It waits for nothing, so a
    cancellation in it is its own and not that of our task.
    """
    try:
        return work(), None
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        return None, error


def refusal_of(settings: Any) -> Exception | None:
    """Return why a package would refuse these settings at the start, as it words it; else None.

    A package adds a function of the settings to the group ``mts1b.checks``; it raises what its
    service would raise, and creates nothing. What it finds odd and allows, it returns as lines.
    """
    for name in plugin_names(_CHECKS):
        _, error = attempt(partial(_ask, name, settings))
        if error is not None:
            said = f"{_CHECKS}: {name!r} ended with {error!r}; mend or remove its package"
            return error if isinstance(error, Exception) else PluginBroken(said)
    return None


def warnings_of(settings: Any) -> list[str]:
    """Return what packages find odd in settings that none of them refuses."""
    answers = [_ask(name, settings) for name in plugin_names(_CHECKS)]
    return [str(line) for answer in answers if isinstance(answer, list) for line in answer]


def _ask(name: str, settings: Any) -> Any:
    return load_plugin(_CHECKS, name)(settings)
