"""Run inside a clean environment: import all of one package, print which of ours are installed.

    python probe.py IMPORT_NAME DISTRIBUTION

A module may fail to import only for want of a distribution that one of the package's extras names.
"""

import importlib
import pkgutil
import re
import sys
from importlib.metadata import distribution, distributions


def optional(name: str) -> set[str]:
    """Return the distributions that only an extra brings, as import names would spell them."""
    requires = distribution(name).requires or []
    names = (re.split(r"[^A-Za-z0-9._-]", text)[0] for text in requires if "extra ==" in text)
    return {re.sub(r"[-.]+", "_", found).lower() for found in names}


def import_all(package: str, missing: set[str]) -> None:
    """Import a package with all below it.

    :raises ModuleNotFoundError: for a module that no extra would bring.
    """
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0].lower() not in missing:
                raise


def load_entry_points(name: str, missing: set[str]) -> None:
    """Load what the distribution offers to others."""
    for point in distribution(name).entry_points:
        try:
            point.load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0].lower() not in missing:
                raise


package, name = sys.argv[1:]
extras = optional(name)
import_all(package, extras)
load_entry_points(name, extras)
ours = (str(found.metadata["Name"]) for found in distributions())
print(" ".join(one.replace("-", "_") for one in ours if one.lower().startswith("mts1b")))
