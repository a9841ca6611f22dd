"""Time, randomness, ids and threads come in through injected objects.

``asyncio.sleep`` and the loop's own time are not ambient: whoever makes the event loop owns them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tools.contracts.check import Check
from tools.contracts.imports import aliases, resolve
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project

__all__ = ["INJECTED_SEAMS"]

_RULE = "injected-seams"
_CLOCK = "take a Clock (mts1b_platform.clock) as a parameter"
_RNG = "take an Rng (mts1b_platform.rng) or a seeded numpy Generator as a parameter"
_IDS = "derive the id (mts1b_platform.ids.derive_id) or take an Ids as a parameter"
_THREADS = "stay on the event loop, or put the work into a process of its own"

_AMBIENT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
            "time.time",
            "time.time_ns",
            "time.monotonic",
            "time.monotonic_ns",
            "time.perf_counter",
            "time.perf_counter_ns",
            "time.process_time",
            "time.process_time_ns",
            "time.thread_time",
            "time.clock_gettime",
            "time.clock_gettime_ns",
            "time.sleep",
            "time.localtime",
            "time.gmtime",
            "time.ctime",
            "pandas.Timestamp.now",
            "pandas.Timestamp.today",
            "pandas.Timestamp.utcnow",
        ),
        _CLOCK,
    ),
    **dict.fromkeys(("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7"), _IDS),
    **dict.fromkeys(("os.urandom", "os.getrandom"), _RNG),
    **dict.fromkeys(
        (
            "asyncio.to_thread",
            "concurrent.futures.ThreadPoolExecutor",
            "concurrent.futures.thread.ThreadPoolExecutor",
            "anyio.to_thread.run_sync",
        ),
        _THREADS,
    ),
}
_AMBIENT_BELOW: Mapping[str, str] = {
    "random": _RNG,
    "secrets": _RNG,
    "numpy.random": _RNG,
    "threading": _THREADS,
    "_thread": _THREADS,
}
_SEEDED = frozenset(
    {"Generator", "SeedSequence", "BitGenerator", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
)


def _remedy(path: str) -> str | None:
    if path in _AMBIENT:
        return _AMBIENT[path]
    for below, remedy in _AMBIENT_BELOW.items():
        if path.startswith(below + ".") and path.count(".") > below.count("."):
            return remedy
    return None


def _harmless(path: str, call: ast.Call | None) -> bool:
    """Tell whether a name of a guarded module reads nothing ambient as it is used here."""
    if path.startswith("numpy.random."):
        return path.rpartition(".")[2] in _SEEDED or _seeded_default(path, call)
    return False


def _seeded_default(path: str, call: ast.Call | None) -> bool:
    return path == "numpy.random.default_rng" and call is not None and bool(call.args)


def _uses(module: Module) -> Iterator[tuple[int, str, str]]:
    bound = aliases(module)
    calls = {id(node.func): node for node in module.nodes if isinstance(node, ast.Call)}
    inner: set[int] = set()
    for node in module.nodes:
        if not isinstance(node, (ast.Attribute, ast.Name)) or id(node) in inner:
            continue
        if isinstance(node, ast.Attribute):
            inner.add(id(node.value))
            if node.attr == "run_in_executor":
                yield node.lineno, "run_in_executor", _THREADS
        path = resolve(node, bound)
        remedy = _remedy(path) if path is not None else None
        if path and remedy and not _harmless(path, calls.get(id(node))):
            yield node.lineno, path, remedy


def _find(project: Project) -> Iterator[Violation]:
    for module in project.modules():
        if module.name in project.policy.seam_modules:
            continue
        for line, path, remedy in _uses(module):
            message = f"{module.name} reads {path} from its surroundings"
            yield Violation(module.file, line, _RULE, message, remedy)


INJECTED_SEAMS = Check(
    rule=_RULE,
    says="Clocks, randomness, ids and threads are injected, never read ambiently.",
    find=_find,
    marker="seam-ok",
)
