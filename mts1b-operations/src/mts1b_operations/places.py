"""The names of what operations keeps under MTS_HOME."""

from __future__ import annotations

__all__ = ["AUDIT_FOLDER", "HALT_FOLDER", "KEY_FOLDER", "RUN_FOLDER", "STORE_NAME"]

STORE_NAME = "operations"
HALT_FOLDER = "halt"
KEY_FOLDER = "keys"
AUDIT_FOLDER = "audit"
RUN_FOLDER = "run"
