"""Faults planted in the order path one at a time: a simulator that finds none of them proves none.

The table is ``mutants.toml`` beside this file. Each entry replaces a text that occurs once in a
module; the module on disk stays as it is. One that shows only after a rare accident names it under
``faults``, with the strength that it has in each of its seeds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from mts1b_oms.errors import OmsError

__all__ = ["Mutant", "MutantInvalid", "Verdict", "judge", "judge_all", "known_mutants"]

_SCRIPT = Path(__file__).with_name("planted.py")
_PATIENCE_S = 600.0


class MutantInvalid(OmsError):
    """The text to replace is not in the module once, so that nothing was planted."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: ``old`` becomes ``new`` in ``module``; ``name`` says what is wrong then."""

    name: str
    module: str
    old: str
    new: str
    faults: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the seeds made of a mutant: ``found`` is empty when it survived all ``seeds``."""

    mutant: Mutant
    seeds: int
    found: str

    def __str__(self) -> str:
        if not self.found:
            return f"SURVIVED  {self.seeds:>3} seeds  {self.mutant.name}"
        return f"killed    {self.seeds:>3} seeds  {self.mutant.name}: {self.found[:90]}"


def known_mutants() -> tuple[Mutant, ...]:
    """Return the table, in its order."""
    text = files("mts1b_oms.simulation").joinpath("mutants.toml").read_text(encoding="utf-8")
    return tuple(Mutant(**entry) for entry in tomllib.loads(text)["mutant"])


async def judge(mutant: Mutant, *, seeds: Iterable[int], orders: int) -> Verdict:
    """Run seeds with the fault planted, in a process of its own, until one is violated.

    A run that ends with an exception, or does not end, has found the fault too. One that a signal
    ended from outside shows nothing: it counts as survived, after no seed.

    :raises MutantInvalid: when nothing could be planted.
    """
    given = list(seeds)
    asked = {
        "module": mutant.module,
        "old": mutant.old,
        "new": mutant.new,
        "seeds": given,
        "orders": orders,
        "faults": dict(mutant.faults),
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(_SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            said, errors = await child.communicate(json.dumps(asked).encode())
    except TimeoutError:
        child.kill()
        await child.wait()
        return Verdict(mutant, len(given), f"no end within {_PATIENCE_S:.0f} s")
    if child.returncode is not None and child.returncode < 0:
        return Verdict(mutant, 0, "")
    if child.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        return Verdict(mutant, 1, _raised(mutant, last[0] if last else "no word"))
    answer = json.loads(said.splitlines()[-1])
    return Verdict(mutant, answer["seeds"], answer["violation"])


def _raised(mutant: Mutant, last: str) -> str:
    if last.startswith("LookupError"):
        raise MutantInvalid(f"{mutant.name}: {last}")
    return f"raised {last}"


async def judge_all(
    mutants: Iterable[Mutant], *, seeds: range, orders: int, jobs: int
) -> AsyncIterator[Verdict]:
    """Judge mutants, ``jobs`` at a time; yield each verdict as it comes."""
    free = asyncio.Semaphore(jobs)

    async def one(mutant: Mutant) -> Verdict:
        async with free:
            return await judge(mutant, seeds=seeds, orders=orders)

    for verdict in asyncio.as_completed([one(mutant) for mutant in mutants]):
        yield await verdict
