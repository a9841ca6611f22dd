"""The registry of every name that was ever on the wire or on record: none is used again."""

from tools.names.registry import REGISTRY, NamesBroken, check, current_names, read, renewed

__all__ = ["REGISTRY", "NamesBroken", "check", "current_names", "read", "renewed"]
