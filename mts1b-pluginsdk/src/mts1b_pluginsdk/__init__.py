"""Scaffolding and conformance kits for plugin authors. Names are imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mts1b_pluginsdk.errors import FactoryUnusable, NameRefused, PluginSdkError, TargetInTheWay
    from mts1b_pluginsdk.factory import load_factory
    from mts1b_pluginsdk.names import PluginName
    from mts1b_pluginsdk.scaffold import PluginKind, Scaffold, create_plugin

__all__ = [
    "FactoryUnusable",
    "NameRefused",
    "PluginKind",
    "PluginName",
    "PluginSdkError",
    "Scaffold",
    "TargetInTheWay",
    "create_plugin",
    "load_factory",
]

_HOMES = {
    "factory": ("load_factory",),
    "names": ("PluginName",),
    "scaffold": ("PluginKind", "Scaffold", "create_plugin"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
