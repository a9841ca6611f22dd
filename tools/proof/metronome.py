"""A beat that the kernel keeps: an event loop's own timers come up to a millisecond late."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Metronome"]

_MONOTONIC = 1  # CLOCK_MONOTONIC, which is what time.perf_counter reads on Linux
_ABSOLUTE = 1  # TFD_TIMER_ABSTIME
_NONBLOCK = os.O_NONBLOCK
_LEAD_S = 0.05


class Metronome:
    """Call ``beat`` with the time at which it was due, ``rate_per_s`` times a second.

    A beat that comes late carries the time at which it should have come, so that whoever measures
    from there leaves nothing out. Linux only (timerfd).
    """

    def __init__(self, rate_per_s: float, beat: Callable[[float], None]) -> None:
        self._every_s = 1.0 / rate_per_s
        self._beat = beat
        self._count = 0
        self._begin = 0.0
        self._handle = -1

    def start(self) -> None:
        """Begin in a moment.

        :raises OSError: when the kernel gives no timer.
        """
        library = ctypes.CDLL(None, use_errno=True)
        self._handle = library.timerfd_create(_MONOTONIC, _NONBLOCK)
        if self._handle < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._begin = time.perf_counter() + _LEAD_S
        setting = struct.pack("=qqqq", *_split(self._every_s), *_split(self._begin))
        if library.timerfd_settime(self._handle, _ABSOLUTE, setting, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")
        asyncio.get_running_loop().add_reader(self._handle, self._ring)

    def _ring(self) -> None:
        with suppress(BlockingIOError):
            (times,) = struct.unpack("=Q", os.read(self._handle, 8))
            for _ in range(times):
                due = self._begin + self._count * self._every_s
                self._count += 1
                self._beat(due)

    def stop(self) -> None:
        """Beat no more."""
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1


def _split(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    return whole, int((seconds - whole) * 1e9)
