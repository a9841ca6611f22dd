"""What can be wrong with a request for a plugin, by who must act."""

from __future__ import annotations

__all__ = ["FactoryUnusable", "NameRefused", "PluginSdkError", "TargetInTheWay"]


class PluginSdkError(ValueError):
    """The request can not be served as it stands; the text says what to change."""


class NameRefused(PluginSdkError):
    """The name can not be that of a plugin: choose another."""


class TargetInTheWay(PluginSdkError):
    """The folder is taken or can not be written: choose another, or move it away."""


class FactoryUnusable(PluginSdkError):
    """The text does not lead to something that makes a client: mend it."""
