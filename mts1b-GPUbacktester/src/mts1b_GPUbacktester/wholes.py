"""Counts that a caller gives: whole numbers, and not too small."""

from __future__ import annotations

import numpy as np

from mts1b_GPUbacktester.errors import BadSetting

__all__ = ["require_whole"]


def require_whole(name: str, given: object, least: int) -> None:
    """Take a whole number of Python or numpy that is not below ``least``.

    :raises BadSetting: for anything else, a truth value too.
    """
    whole = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
    if not whole or given < least:  # type: ignore[operator]
        raise BadSetting(f"{name} {given!r} must be a whole number, {least} or more")
