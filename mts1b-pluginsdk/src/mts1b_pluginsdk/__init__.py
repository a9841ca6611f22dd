"""Scaffolding and conformance kits for plugin authors."""

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
