"""Named universes, from whatever installed package offers them.

A package offers universes by an entry point of the group ``mts1b.universes``: a class or function
that, called without arguments, gives a :class:`UniverseSource`. The data lake does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mts1b_platform.plugins import load_plugin, plugin_names

from mts1b_GPUbacktester.errors import BadPanel
from mts1b_GPUbacktester.panels import PanelLike

__all__ = ["GROUP", "UniverseSource", "universe_panel", "universe_sources"]

GROUP = "mts1b.universes"


class UniverseSource(Protocol):
    """What an entry point of the group gives when called."""

    def names(self) -> list[str]:
        """Return the names of the universes it has."""
        ...

    def panel(self, name: str) -> PanelLike:
        """Return all bars of a universe, as anything that ``panel_from`` takes."""
        ...


def universe_sources() -> dict[str, UniverseSource]:
    """Return the sources of all installed packages by their name.

    :raises PluginBroken: where one can not be loaded.
    """
    return {name: load_plugin(GROUP, name)() for name in plugin_names(GROUP)}


def universe_panel(name: str, sources: Mapping[str, UniverseSource] | None = None) -> PanelLike:
    """Return the bars of a named universe; ``source:name`` where several have the name.

    :raises BadPanel: for a name that no source or more than one has, with what there is.
    """
    known = universe_sources() if sources is None else sources
    if not known:
        raise BadPanel(
            f"universe {name!r}: no installed package offers universes; install mts1b-datalake, "
            "or give panel="
        )
    chosen, found, rest = name.partition(":")
    if found and chosen in known:
        known, name = {chosen: known[chosen]}, rest
    offered = {source: given.names() for source, given in known.items()}
    having = [source for source, names in offered.items() if name in names]
    if len(having) == 1:
        return known[having[0]].panel(name)
    if having:
        raise BadPanel(
            f"universe {name!r} is offered by {', '.join(having)}; write e.g. {having[0]}:{name}"
        )
    listed = ", ".join(one for names in offered.values() for one in names) or "none"
    raise BadPanel(
        f"no universe {name!r}; there is {listed}. Import one with 'mts data import', or give "
        "panel="
    )
