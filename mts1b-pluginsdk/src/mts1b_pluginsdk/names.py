"""The name of a plugin, in every spelling that a package needs."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions

from mts1b_pluginsdk.errors import NameRefused

__all__ = ["CORE_PACKAGES", "PluginName"]

CORE_PACKAGES = frozenset(
    {
        "mts1b",
        "mts1b-brokers",
        "mts1b-datalake",
        "mts1b-deploy",
        "mts1b-foundation",
        "mts1b-gpubacktester",
        "mts1b-marketdata",
        "mts1b-oms",
        "mts1b-oms-algos",
        "mts1b-operations",
        "mts1b-platform",
        "mts1b-pluginsdk",
        "mts1b-portfolio",
        "mts1b-quantkit",
        "mts1b-research",
        "mts1b-riskengine",
    }
)
"""The distributions of MTS1B itself."""

_SHAPE = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_LONGEST = 32
_TAKEN = frozenset({"paper", "pytest", "pydantic", "test", "tests"})


@dataclass(frozen=True, slots=True)
class PluginName:
    """``my-broker`` as distribution and folder, ``my_broker`` as module, ``MyBroker`` in code."""

    distribution: str

    @classmethod
    def parse(cls, text: str) -> PluginName:
        """Return the name that a user gave, or say what is wrong with it.

        :raises NameRefused: when it is badly formed, or belongs to someone else.
        """
        if len(text) > _LONGEST or not _SHAPE.fullmatch(text):
            raise NameRefused(
                f"{text!r} is not a plugin's name; use lower-case letters and digits, words joined "
                f"by '-' or '_', beginning with a letter, at most {_LONGEST} characters: my-broker"
            )
        name = cls(text.replace("_", "-"))
        owner = name._owner()
        if owner is not None:
            raise NameRefused(f"{text!r} is {owner}; choose another name, for example my-{text}")
        return name

    def _owner(self) -> str | None:
        if self.distribution in CORE_PACKAGES or f"mts1b-{self.distribution}" in CORE_PACKAGES:
            return "the name of a package of MTS1B itself"
        if keyword.iskeyword(self.module) or keyword.issoftkeyword(self.module):
            return "a word of Python"
        if self.module in sys.stdlib_module_names:
            return "the name of a module of Python's standard library"
        if self.module in packages_distributions():
            return "the name of a module that is installed here"
        return "taken" if self.distribution in _TAKEN else None

    @property
    def module(self) -> str:
        """Return the name to import."""
        return self.distribution.replace("-", "_")

    @property
    def title(self) -> str:
        """Return the name for people: ``My broker``."""
        return self.distribution.replace("-", " ").capitalize()

    @property
    def camel(self) -> str:
        """Return the name as classes spell it: ``MyBroker``."""
        return "".join(word.capitalize() for word in self.distribution.split("-"))
