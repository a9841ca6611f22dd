"""What a command's exit code means, the same for every command."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Say how a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNAVAILABLE = 4
    REFUSED = 5
    DATA = 6
    INTERNAL = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """Return one line for the documentation."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "done, and the answer is no: a check failed",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.CONFIGURATION: "the configuration is wrong",
    ExitCode.UNAVAILABLE: "the bus, a database, a port or the disk is not available",
    ExitCode.REFUSED: "refused by risk, a halt or a signature check",
    ExitCode.DATA: "the data is wrong",
    ExitCode.INTERNAL: "a defect of MTS1B",
    ExitCode.INTERRUPTED: "stopped from outside, as by Ctrl-C",
}
