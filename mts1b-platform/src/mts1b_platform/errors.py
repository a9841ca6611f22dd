"""Errors by remedy: who must act, and what the command line ends with."""

from __future__ import annotations

from typing import ClassVar

from mts1b_platform.exit_codes import ExitCode

__all__ = [
    "DataError",
    "FixConfiguration",
    "MustStop",
    "PlatformError",
    "Refused",
    "RetryLater",
]


class PlatformError(Exception):
    """The root of this package's errors."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class RetryLater(PlatformError):
    """Something is away for now: try again, or start it."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class Refused(PlatformError):
    """The system says no, and would say so again: change what is asked."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class FixConfiguration(PlatformError):
    """The configuration is wrong: mend it."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class DataError(PlatformError):
    """The data is wrong: mend the file, or what is declared of it."""

    exit_code: ClassVar[ExitCode] = ExitCode.DATA


class MustStop(PlatformError):
    """Going on would not be safe: stop, look, and start again."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
