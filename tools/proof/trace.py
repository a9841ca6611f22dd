"""What a process writes to the files of one folder, and when it makes sure of it: every write,
sync, truncation and change of name, in order, as the kernel is asked for it (ptrace).

Linux on x86-64. The process must do its file work on its first thread, as the stores do.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Event", "Kind", "is_supported", "record"]

_TRACEME, _SYSCALL, _GETREGS, _SETOPTIONS = 0, 24, 12, 0x4200
_OPTIONS = 0x1 | 0x100000  # PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL
_RAX, _RDX, _RSI, _RDI, _R10, _NUMBER = 10, 12, 13, 14, 7, 15
_AT_CWD = 0xFFFFFF9C
_CREATE, _TRUNCATE = os.O_CREAT, os.O_TRUNC


class Kind(StrEnum):
    """Say what was asked of the kernel."""

    WRITE = "write"
    SYNC = "sync"
    TRUNCATE = "truncate"
    CREATE = "create"
    UNLINK = "unlink"
    RENAME = "rename"
    SAID = "said"
    """What the process told its caller: a line on standard output."""


@dataclass(frozen=True, slots=True)
class Event:
    """One act on a file or on the folder itself.

    :ivar path: the file, relative to the folder; empty for the folder itself and for ``said``.
    :ivar place: offset of a write, size of a truncation.
    :ivar data: what was written or said; of a rename, the new name.
    """

    kind: Kind
    path: str = ""
    place: int = 0
    data: bytes = b""


def is_supported() -> bool:
    """Return whether this machine can trace."""
    return platform.system() == "Linux" and platform.machine() == "x86_64"


def record(
    command: Sequence[str], folder: Path, *, environ: Mapping[str, str] | None = None
) -> list[Event]:
    """Run a command to its end and return what it did to the files below ``folder``.

    :raises OSError: when the kernel refuses to trace.
    :raises subprocess.CalledProcessError: when the command fails.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    library.ptrace.restype = ctypes.c_long
    child = subprocess.Popen(
        list(command),
        preexec_fn=lambda: library.ptrace(_TRACEME, 0, None, None),
        stdout=subprocess.DEVNULL,
        env=environ,
    )
    tracer = _Tracer(library, child.pid, folder.resolve())
    code = tracer.run()
    child.returncode = code
    if code != 0:
        raise subprocess.CalledProcessError(code, list(command))
    return tracer.events


class _Tracer:
    def __init__(self, library: ctypes.CDLL, pid: int, folder: Path) -> None:
        self.events: list[Event] = []
        self._library, self._pid, self._folder = library, pid, folder
        self._memory = -1
        self._registers = (ctypes.c_ulonglong * 27)()
        self._begun: list[Event] = []

    def run(self) -> int:
        """Follow the process until it ends; return its exit code."""
        _, status = os.waitpid(self._pid, 0)
        if os.WIFEXITED(status):
            return os.waitstatus_to_exitcode(status)
        if self._library.ptrace(_SETOPTIONS, self._pid, None, _OPTIONS) != 0:
            raise OSError(ctypes.get_errno(), "this kernel refuses to trace")
        self._memory = os.open(f"/proc/{self._pid}/mem", os.O_RDONLY)
        try:
            return self._follow()
        finally:
            os.close(self._memory)

    def _follow(self) -> int:
        enters, passed = True, 0
        while True:
            self._library.ptrace(_SYSCALL, self._pid, None, passed)
            _, status = os.waitpid(self._pid, 0)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                return os.waitstatus_to_exitcode(status)
            stop = os.WSTOPSIG(status)
            passed = 0 if stop in (signal.SIGTRAP, signal.SIGTRAP | 0x80) else stop
            if stop == signal.SIGTRAP | 0x80:
                self._library.ptrace(_GETREGS, self._pid, None, ctypes.addressof(self._registers))
                self._enter() if enters else self._leave()
                enters = not enters

    def _enter(self) -> None:
        found = _CALLS.get(self._registers[_NUMBER])
        self._begun = found(self) if found is not None else []

    def _leave(self) -> None:
        result = ctypes.c_longlong(self._registers[_RAX]).value
        if result < 0:
            return
        for event in self._begun:
            cut = event.kind is Kind.WRITE and result < len(event.data)
            self.events.append(
                Event(event.kind, event.path, event.place, event.data[:result]) if cut else event
            )

    def _argument(self, register: int) -> int:
        return int(self._registers[register])

    def _bytes(self, at: int, size: int) -> bytes:
        return os.pread(self._memory, size, at)

    def _text(self, at: int) -> str:
        return self._bytes(at, 4096 - at % 4096 + 4096).partition(b"\0")[0].decode(errors="replace")

    def _inside(self, path: str) -> str | None:
        """Return a path below the folder, relative; ``""`` for the folder; None elsewhere."""
        with suppress(ValueError):
            found = Path(path).relative_to(self._folder)
            return "" if str(found) == "." else str(found)
        return None

    def _file(self) -> str | None:
        with suppress(OSError):
            handle = self._argument(_RDI)
            return self._inside(os.readlink(f"/proc/{self._pid}/fd/{handle}"))
        return None

    def _named(self, text: str, folder_handle: int | None = None) -> str | None:
        base = "cwd"
        if folder_handle is not None and folder_handle & 0xFFFFFFFF != _AT_CWD:
            base = f"fd/{folder_handle}"
        path = Path(os.readlink(f"/proc/{self._pid}/{base}")) / text
        return self._inside(os.path.normpath(path))

    def write(self) -> list[Event]:
        """write(handle, data, size)"""
        size = self._argument(_RDX)
        if self._argument(_RDI) == 1:
            return [Event(Kind.SAID, data=self._bytes(self._argument(_RSI), size))]
        path = self._file()
        if not path:
            return []
        info = Path(f"/proc/{self._pid}/fdinfo/{self._argument(_RDI)}").read_text().split()
        return [Event(Kind.WRITE, path, int(info[1]), self._bytes(self._argument(_RSI), size))]

    def pwrite(self) -> list[Event]:
        """pwrite64(handle, data, size, offset)"""
        path = self._file()
        if not path:
            return []
        data = self._bytes(self._argument(_RSI), self._argument(_RDX))
        return [Event(Kind.WRITE, path, self._argument(_R10), data)]

    def sync(self) -> list[Event]:
        """fsync(handle), fdatasync(handle)"""
        path = self._file()
        return [] if path is None else [Event(Kind.SYNC, path)]

    def truncate(self) -> list[Event]:
        """ftruncate(handle, size)"""
        path = self._file()
        return [Event(Kind.TRUNCATE, path, self._argument(_RSI))] if path else []

    def open_at(self) -> list[Event]:
        """openat(folder, name, flags)"""
        flags = self._argument(_RDX)
        if not flags & (_CREATE | _TRUNCATE):
            return []
        path = self._named(self._text(self._argument(_RSI)), self._argument(_RDI))
        if not path:
            return []
        if not (self._folder / path).exists():
            return [Event(Kind.CREATE, path)]
        return [Event(Kind.TRUNCATE, path, 0)] if flags & _TRUNCATE else []

    def unlink(self) -> list[Event]:
        """unlink(name)"""
        path = self._named(self._text(self._argument(_RDI)))
        return [Event(Kind.UNLINK, path)] if path else []

    def rename(self) -> list[Event]:
        """rename(old, new)"""
        old = self._named(self._text(self._argument(_RDI)))
        new = self._named(self._text(self._argument(_RSI)))
        return [Event(Kind.RENAME, old, data=new.encode())] if old and new else []


_CALLS = {
    1: _Tracer.write,
    18: _Tracer.pwrite,
    74: _Tracer.sync,
    75: _Tracer.sync,
    77: _Tracer.truncate,
    82: _Tracer.rename,
    87: _Tracer.unlink,
    257: _Tracer.open_at,
}
"""By the number of the system call on x86-64."""
