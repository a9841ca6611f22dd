"""The runtime that every service stands on: bus, store, clock, settings, logs, ``mts``."""
