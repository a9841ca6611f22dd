"""The halt record: a local file that decides, without any network, whether an order may leave."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mts1b_foundation.model import FrozenModel
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from pydantic import Field, ValidationError

from mts1b_platform.errors import MustStop

__all__ = ["HaltState", "HaltStateUnreadable", "HaltStore"]


class HaltStateUnreadable(MustStop):
    """The halt record can not be read: everything counts as halted."""


class HaltState(FrozenModel):
    """The halts in force. Each change raises ``epoch`` by one, so that an approval of an
    earlier epoch can be told from one of now."""

    epoch: int = Field(default=0, ge=0)
    active: tuple[ActiveHalt, ...] = ()
    lifted: tuple[str, ...] = ()

    def of(self, scope: str) -> ActiveHalt | None:
        """Return the halt of exactly this scope, or None."""
        return next((halt for halt in self.active if halt.scope == scope), None)


_UNREADABLE = ActiveHalt(
    halt_id="halt-unreadable",
    scope="firm",
    severity=HaltSeverity.FIRM_HALT,
    reason="the halt record can not be read",
    requested_by="mts1b-platform",
    requested_at=datetime(1970, 1, 1, tzinfo=UTC),
    epoch=1,
)


class HaltStore:
    """Keep the halt record of one MTS_HOME in ``<directory>/halts.json``.

    Writers take a file lock, write a new file, sync it and rename it. Readers read again only
    when the file has changed, so :meth:`blocked` costs one ``stat``. ``halts.kept`` says that
    there is a record, so that one which was deleted is not taken for none.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "halts.json"
        self._file = str(self._path)
        self._kept = directory / "halts.kept"
        self._kept_file = str(self._kept)
        self._seen: tuple[int, int, int] | None = None
        self._state = HaltState()

    def state(self) -> HaltState:
        """Return the record; a home that never had one has an empty record.

        :raises HaltStateUnreadable: when the file makes no sense, or was taken away.
        """
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            return self._absent()
        except OSError as error:
            raise HaltStateUnreadable(f"{self._path}: {error}") from error
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        if mark != self._seen:
            self._state = self._load()
            self._seen = mark
        return self._state

    def _absent(self) -> HaltState:
        self._seen = None
        if os.path.exists(self._kept_file):
            raise HaltStateUnreadable(
                f"{self._path} is gone, so everything is halted; restore it, or remove "
                f"{self._kept} to begin with no halt"
            )
        self._state = HaltState()
        return self._state

    def _load(self) -> HaltState:
        try:
            return HaltState.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError) as error:
            raise HaltStateUnreadable(
                f"{self._path} can not be read, so everything is halted: "
                f"{' '.join(str(error).split())[:200]}"
            ) from error

    def blocked(
        self,
        *,
        fund_id: str,
        strategy_id: str,
        venue: str = "",
        symbol: str = "",
        reduce_only: bool,
    ) -> ActiveHalt | None:
        """Return the widest halt that stops an order, or None when it may leave.

        The scopes are, from wide to narrow: firm, fund, strategy, venue, symbol.
        """
        try:
            active = self.state().active
        except HaltStateUnreadable:
            return _UNREADABLE
        if not active:
            return None
        scopes = (
            "firm",
            f"fund:{fund_id}",
            f"strategy:{strategy_id}",
            f"venue:{venue}",
            f"symbol:{symbol}",
        )
        for scope in scopes:
            for halt in active:
                if halt.scope == scope and not (reduce_only and halt.reduce_only_allowed):
                    return halt
        return None

    def apply(self, halt: ActiveHalt) -> HaltState:
        """Put a halt in force; return the record. The same ``halt_id`` again changes nothing,
        also after it was lifted.

        Where the record can not be written, it is emptied: what can not be read halts everything.

        :raises HaltStateUnreadable: when it could not be read, or was emptied.
        :raises OSError: when it could not even be emptied.
        """
        try:
            return self._apply(halt)
        except OSError as error:
            self._spoil()
            raise HaltStateUnreadable(
                f"the halt of {halt.scope} could not be written to {self._path} ({error}), so "
                "everything is halted; free the disk, then restore the record"
            ) from error

    def _spoil(self) -> None:
        """Make the record unreadable; unlike writing, this works on a full disk."""
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))

    def _apply(self, halt: ActiveHalt) -> HaltState:
        with self._writing() as state:
            known = {item.halt_id for item in state.active} | set(state.lifted)
            if halt.halt_id in known:
                return state
            epoch = state.epoch + 1
            active = (*state.active, halt.with_(epoch=epoch))
            return self._save(state.with_(epoch=epoch, active=active))

    def lift(self, scope: str, *, upto: int | None = None) -> HaltState:
        """End the halts of exactly this scope; return the record.

        :param upto: the epoch that whoever ends them has seen; what came later stays in force.
        """
        with self._writing() as state:
            ended = tuple(
                halt.halt_id
                for halt in state.active
                if halt.scope == scope and (upto is None or halt.epoch <= upto)
            )
            if not ended:
                return state
            left = tuple(halt for halt in state.active if halt.halt_id not in ended)
            return self._save(
                HaltState(epoch=state.epoch + 1, active=left, lifted=(*state.lifted, *ended))
            )

    @contextmanager
    def _writing(self) -> Iterator[HaltState]:
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._directory / "halts.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.state()
        finally:
            os.close(lock)

    def _save(self, state: HaltState) -> HaltState:
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: who writes it lifts halts
            file.write(state.model_dump_json(indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._path)
        self._kept.touch(mode=0o600)
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self.state()
