"""Compute the differences and write the page."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from tools.agreement.alone import REASONS
from tools.agreement.comparison import EXACT, Comparison, Data, difference

__all__ = [
    "PAGE",
    "PEERS",
    "Row",
    "installed",
    "measure",
    "public_functions",
    "read",
    "render",
    "simulated",
]

PAGE = Path("docs") / "agreement.md"
PEERS = {
    "empyrical": "of_empyrical",
    "quantstats": "of_quantstats",
    "skfolio": "of_skfolio",
    "pypfopt": "of_pypfopt",
    "riskfolio": "of_riskfolio",
    "arch": "of_arch",
    "statsmodels": "of_statsmodels",
    "sklearn": "of_sklearn",
    "scipy": "of_scipy",
    "pandas": "of_pandas",
    "QuantLib": "of_quantlib",
}
"""What to import of a peer, and the module that compares with it."""

ROOMS = (
    *("covariance", "allocators", "metrics", "cv", "risk", "factors", "cost_models"),
    *("universe_filters", "microstructure", "volatility", "options"),
)

_HEAD = """# Agreement with other libraries

How far the functions of `mts1b_quantkit` are from those of other libraries on the same data:
{data}.

The difference is the largest one of any number in the result, as a fraction of the largest number
that the peer gives. Two exact computations may differ by {exact:g}; a row with a larger limit says
why. `make agreement` installs the peers into an environment of their own, computes the table again
and writes this page; `make test` computes what it can with the peers that are installed, on
simulated returns, and fails where a limit is exceeded.

Where public definitions disagree, each has a name; the last column tells which one a peer uses.

"""
_ABSENT = "its peers are not installed here"
_TABLE = """| function | peer | difference | limit | definition, or what keeps them apart |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One line of the table, with what was seen."""

    comparison: Comparison
    peer: str
    seen: float


def installed() -> Iterator[tuple[str, ModuleType]]:
    """Yield the comparisons with each peer that is installed, by its import name."""
    for name, module in PEERS.items():
        if importlib.util.find_spec(name) is not None:
            yield name, importlib.import_module(f"tools.agreement.{module}")


def measure(data: Data) -> list[Row]:
    """Return every row of every installed peer."""
    rows: list[Row] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peers' own
        for _, module in installed():
            peer = f"{module.DISTRIBUTION} {version(module.DISTRIBUTION)}"
            rows += [Row(one, peer, difference(one, data)) for one in module.COMPARISONS]
    return sorted(rows, key=lambda row: (row.comparison.function, row.peer))


def read(rows: int = 1260) -> Data:
    """Return the last daily returns of twenty shares of the S&P 500 that come with skfolio."""
    from skfolio.datasets import load_sp500_dataset

    prices = load_sp500_dataset()
    returns = prices.pct_change().iloc[-rows:]
    days = f"{returns.index[0]:%Y-%m-%d} to {returns.index[-1]:%Y-%m-%d}"
    return _data(f"twenty shares of the S&P 500, {days} (from skfolio)", returns)


def simulated(rows: int = 600, seed: int = 11) -> Data:
    """Return returns with one common factor whose volatility clusters, and fat tails.

    For where no data set is installed.
    """
    rng = np.random.default_rng(seed)
    calm = np.repeat(rng.uniform(0.4, 2.0, rows // 25 + 1), 25)[:rows, None]
    common = rng.standard_t(5, (rows, 1)) * 0.007 * calm
    own = rng.standard_t(5, (rows, 12)) * np.linspace(0.005, 0.015, 12)
    days = pd.date_range("2024-01-01", periods=rows, freq="B")
    names = [f"S{k:02d}" for k in range(12)]
    return _data("simulated returns", pd.DataFrame(common + own + 0.0004, days, names))


def _data(name: str, returns: pd.DataFrame) -> Data:
    return Data(
        name,
        returns,
        series=returns.iloc[:, :6].mean(axis=1).rename("portfolio"),
        benchmark=returns.mean(axis=1).rename("benchmark"),
    )


def render(data: Data, rows: list[Row]) -> str:
    """Return the page."""
    lines = "".join(_line(row) for row in rows)
    exact = [row for row in rows if row.comparison.limit <= EXACT]
    worst = max(row.seen for row in exact)
    close = (
        f"{len(rows)} comparisons of {len({row.comparison.function for row in rows})} functions "
        f"with {len({row.peer for row in rows})} libraries. {len(exact)} of them are exact;\n"
        f"the largest difference among these is {worst:.1e}.\n\n"
    )
    head = _HEAD.format(data=data.name, exact=EXACT)
    return head + close + _TABLE + lines + _rest({row.comparison.function for row in rows})


def _rest(compared: set[str]) -> str:
    """Name the functions that no peer has, or has in another meaning."""
    names = sorted(name for name in public_functions() if name not in compared)
    lines = "".join(f"| `{name}` | {REASONS.get(name, _ABSENT)} |\n" for name in names)
    return (
        "\n## Without a peer\n\n"
        "These are held against printed examples of papers and handbooks, their definitions\n"
        "written out, and properties; `mts1b-quantkit/tests/test_quantkit_coverage.py` names\n"
        "the tests of every function. The factors are held against pandas there.\n\n"
        f"| function | why no peer |\n|---|---|\n{lines}"
    )


def public_functions() -> set[str]:
    """Return the functions of the package as room.name, factors left out."""
    found: set[str] = set()
    for room in ROOMS:
        module = importlib.import_module(f"mts1b_quantkit.{room}")
        found |= {
            f"{room}.{name}"
            for name in module.__all__
            if inspect.isfunction(getattr(module, name)) and not name.startswith("f_")
        }
    return found


def _line(row: Row) -> str:
    one = row.comparison
    return (
        f"| `{one.function}` | {row.peer}: `{one.theirs}` | {row.seen:.1e} | {one.limit:.0e} | "
        f"{one.why} |\n"
    )
