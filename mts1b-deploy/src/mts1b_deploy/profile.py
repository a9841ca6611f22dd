"""A profile: one settings file and the processes that make it a running system."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from mts1b_deploy.errors import UnknownProfile

__all__ = [
    "SERVICES",
    "Layout",
    "Process",
    "is_new",
    "processes",
    "profile_names",
    "write_profile",
]

Layout = Literal["five", "one"]

SERVICES = ("operations", "riskengine", "oms", "research", "marketdata")
"""The services in the order in which they start."""


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process: its name and what ``mts`` is given."""

    name: str
    arguments: tuple[str, ...]


def processes(layout: Layout, bus: str) -> tuple[Process, ...]:
    """Return the processes of the native profile, in the order in which they start.

    :param layout: ``five`` for a process per service, ``one`` for all services in one.
    :param bus: ``nats``, or ``local`` (only with ``one``).
    :raises ValueError: for another bus, and for ``five`` with the local bus, which lives inside
        one process.
    """
    if bus not in ("nats", "local"):
        raise ValueError(f"--bus must be nats or local, not {bus!r}")
    if bus == "local":
        if layout == "five":
            raise ValueError("the local bus lives inside one process: use --layout one")
        return (Process("all", ("service", "run", "all")),)
    head = Process("nats", ("bus", "serve"))
    if layout == "one":
        return (head, Process("all", ("service", "run", "all")))
    return (head, *(Process(name, ("service", "run", name)) for name in SERVICES))


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the package."""
    folder = files("mts1b_deploy") / "profiles"
    return sorted(
        item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")
    )


def is_new(home: Path) -> bool:
    """Return whether a home has no settings yet."""
    return not (home / "mts.yaml").exists()


def write_profile(name: str, home: Path) -> Path:
    """Write the profile's settings to ``<home>/mts.yaml`` unless there are settings already.

    :raises UnknownProfile: when no profile has this name.
    """
    if name not in profile_names():
        raise UnknownProfile(f"no profile {name!r}; known: {', '.join(profile_names())}")
    target = home / "mts.yaml"
    if is_new(home):
        home.mkdir(parents=True, exist_ok=True)
        partial = home / "mts.yaml.partial"
        partial.write_text((files("mts1b_deploy") / "profiles" / f"{name}.yaml").read_text())
        os.replace(partial, target)
    return target
