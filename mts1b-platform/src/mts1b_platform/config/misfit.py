"""Say which setting does not fit the others, by its key."""

from __future__ import annotations

__all__ = ["Misfit"]


class Misfit(ValueError):
    """A setting that is right by itself and wrong beside others.

    :param key: where it stands, below the section that is being read.
    :param reason: what is wrong and what to do.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.key = key
        self.reason = reason
