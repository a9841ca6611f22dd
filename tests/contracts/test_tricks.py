"""What code does by another way than an import or a `def` is seen all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tools.contracts import run_checks
from tools.contracts.checks.concepts import PROTECTED_CONCEPTS
from tools.contracts.checks.direction import IMPORT_DIRECTION
from tools.contracts.checks.exhaustive import EXHAUSTIVE_LAYERS
from tools.contracts.checks.private_names import PUBLIC_NAMES
from tools.contracts.checks.seams import INJECTED_SEAMS
from tools.contracts.checks.venue_door import VENUE_DOOR
from tools.contracts.layers import Row
from tools.contracts.tables.allowances import ReachAllowance

Plant = Callable[..., Any]
DATALAKE = Row(0, "mts1b-datalake", "mts1b_datalake")
UPWARD = [
    "from importlib import import_module as load\nx = load('mts1b_oms.client')  # <-",
    "import importlib\nload = importlib.import_module\nx = load('mts1b_oms')  # <-",
    "import importlib\nx = importlib.import_module(name='mts1b_oms')  # <-",
    "import importlib\nx = importlib.import_module('.client', package='mts1b_oms')  # <-",
    "import importlib\nx = importlib.import_module('mts1b_' + 'oms')  # <-",
    "import importlib\nx = importlib.import_module(f'mts1b_oms.{part}')  # <-",
    "import importlib\nx = importlib.import_module('.'.join(['mts1b_oms', 'client']))  # <-",
    "import importlib\nNAME = 'oms'\nx = importlib.import_module(f'mts1b_{NAME}')  # <-",
    "x = __import__('mts1b_oms')  # <-",
    "exec('import mts1b_oms')  # <-",
    "exec('from mts1b_oms.client import OmsClient\\nclient = OmsClient')  # <-",
    "x = eval('__import__(\"mts1b_oms\").client')  # <-",
    "exec(compile('import mts1b_oms', 'x', 'exec'))  # <-",
    "exec(text)  # <-",
    "import sys\nx = sys.modules['mts1b_oms.client']  # <-",
    "import pkgutil\nx = pkgutil.resolve_name('mts1b_oms.client:OmsClient')  # <-",
    "import runpy\nrunpy.run_module('mts1b_oms')  # <-",
    "_HOMES = {'OmsClient': 'mts1b_oms.client'}  # <-",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mts1b_oms  # <-",
    "try:\n    import mts1b_oms  # <-\nexcept ImportError:\n    mts1b_oms = None",
    "import importlib\nload: Any = importlib.import_module\nx = load(name)  # <-",
]


@pytest.mark.parametrize("text", UPWARD)
def test_an_upward_import_by_another_way_is_caught(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_datalake/reader.py": f"{text}\n"})
    assert {one.rule for one in planted.found_by(IMPORT_DIRECTION)} == {"import-direction"}


@pytest.mark.parametrize(
    "text",
    [
        "from importlib import import_module\nx = import_module(f'{__name__}.{part}')",
        "from importlib import import_module\nx = import_module('.part', package=__name__)",
        "from importlib import import_module\nx = import_module(f'mts1b_datalake.{part}')",
        "from importlib import import_module\nx = import_module('mts1b_platform.clock')",
        "from importlib import import_module\nx = import_module('.part', __package__)",
        "'''Read by mts1b_oms.'''\nx = 'ask mts1b_oms.client for it'",
        "def f():\n    'mts1b_oms.client'",
        "import re\nx = re.compile(text)",
        "x = 'mts1b_platform.clock'",
    ],
)
def test_own_and_lower_names_and_words_pass(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_datalake/reader.py": f"{text}\n"})
    assert planted.found_by(IMPORT_DIRECTION) == []


@pytest.mark.parametrize(
    "table",
    [
        '[project.entry-points."mts1b.services"]\noms = "mts1b_oms.service:Oms"  # <-\n',
        '[project.scripts]\nmts-oms = "mts1b_oms.cli:app"  # <-\n',
    ],
)
def test_an_entry_point_into_a_higher_package_is_caught(plant: Plant, table: str) -> None:
    planted = plant({"mts1b_datalake/reader.py": ""})
    file = planted.root / "mts1b-datalake" / "pyproject.toml"
    file.write_text(file.read_text() + table)
    place = ("mts1b-datalake/pyproject.toml", file.read_text().count("\n"))
    (violation,) = replace(planted, places=frozenset({place})).found_by(IMPORT_DIRECTION)
    assert "offers mts1b_oms." in violation.message


def test_code_beside_the_import_package_is_caught(plant: Plant) -> None:
    planted = plant({"mts1b_datalake/reader.py": ""}, layers=(DATALAKE,))
    hidden = planted.root / "mts1b-datalake" / "src" / "hidden"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("import mts1b_oms\n")
    place = ("mts1b-datalake/pyproject.toml", 1)
    (violation,) = replace(planted, places=frozenset({place})).found_by(EXHAUSTIVE_LAYERS)
    assert "src/hidden" in violation.message


def test_an_allowance_lets_one_name_pass_and_is_told_when_stale(plant: Plant) -> None:
    row = ReachAllowance("mts1b_datalake.reader", "mts1b_oms.cli", "only its name is printed")
    tables = {"reach_allowances": (row,), "stale_allowances": True, "concept_allowances": ()}
    planted = plant({"mts1b_datalake/reader.py": "x = 'mts1b_oms.cli'\n"}, **tables)
    assert planted.found_by(IMPORT_DIRECTION) == []
    stale = plant({"mts1b_datalake/reader.py": ""}, **tables)
    (violation,) = run_checks(stale.project(), [IMPORT_DIRECTION]).violations
    assert "mts1b_oms.cli" in violation.message
    assert "is not needed" in violation.message


@pytest.mark.parametrize(
    "text",
    [
        "def ratio(r):\n    return r + 1\nsharpe = ratio  # <-",
        "from numba import njit\ndef ratio(r):\n    return r + 1\nsharpe = njit(ratio)  # <-",
        "from numba import njit\ndef ratio(r):\n    return r + 1\n"
        "sharpe = njit(cache=True)(ratio)  # <-",
        "from typing import Any\nsharpe: Any = lambda r: r + 1  # <-",
        "class R:\n    sharpe = property(lambda self: self.mean / self.std)  # <-",
        "class R:\n    def ratio(self):\n        return self.x + 1\n    sharpe = ratio  # <-",
        "def ratio(r):\n    return r + 1\nglobals()['sharpe'] = ratio  # <-",
        "import mts1b_datalake as me\nsetattr(me, 'sharpe', ratio)  # <-",
        "exec('def sharpe(r):\\n    return r + 1')  # <-",
        "FeeModel = type('FeeModel', (), {'fee': 1})  # <-",
        "from dataclasses import make_dataclass\nX = make_dataclass('FeeModel', ['bps'])  # <-",
        "from empyrical import sharpe_ratio  # <-",
        "from empyrical import stats as sharpe  # <-",
        "from typing import Protocol\nclass FeeModel(Protocol):  # <-\n"
        "    def fee(self, q):\n        return q * 5",
        "import sqlite3\nc = sqlite3.Connection('x')  # <-",
        "from sqlite3 import dbapi2\nc = dbapi2.connect('x')  # <-",
        "import sqlite3\nc = getattr(sqlite3, 'connect')('x')  # <-",
        "import sqlite3\ndb = sqlite3\nc = db.connect('x')  # <-",
        "import sqlalchemy\ne = sqlalchemy.engine_from_config({})  # <-",
        "FeeModel = NewType('FeeModel', Other)  # <-",
        "from collections import namedtuple\nFeeModel = namedtuple('FeeModel', 'bps')  # <-",
        "from typing import NamedTuple\nX = NamedTuple('FeeModel', [('bps', int)])  # <-",
        "from mts1b_quantkit.cost_models import FeeModel\nclass Flat(FeeModel):  # <-\n    bps = 5",
        "from mts1b_quantkit import cv\nclass Mine(cv.PurgedKFold):  # <-\n    x = 1",
        "def f(r):\n    sharpe = r.mean() / r.std() * 16  # <-\n    return sharpe",
        "def f(self, e):\n    self.max_drawdown = (e / e.cummax() - 1).min()  # <-",
        "def f(e):\n    worst = max_drawdown = float(min(e / peak - 1))  # <-\n    return worst",
        "def f(r):\n    return Report(sharpe=mean(r) / deviation(r))  # <-",
        "def f(r):\n    return {'sharpe_ratio': -(mean(r) / deviation(r))}  # <-",
        "def f(r):\n    if (sharpe := r.mean() / r.std()) > 1:  # <-\n        return 1",
        "def annual_sharpe(r):  # <-\n    return r + 1",
        "def sharpe_ratio_annualised(r):  # <-\n    return r + 1",
        "import empyrical\nx = empyrical.sharpe_ratio(r)  # <-",
        "import quantstats as qs\nx = qs.stats.sharpe(r)  # <-",
        "import os\nx = os.environ['MTS_BUS']  # <-",
        "import os\nx = os.environ.get('MTS_BUS')  # <-",
        "from os import environ, getenv\nx = environ['A'], getenv('A')  # <-",
    ],
)
def test_a_second_definition_by_another_way_is_caught(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_research/second.py": f"{text}\n"}, concept_allowances=())
    assert planted.found_by(PROTECTED_CONCEPTS)


@pytest.mark.parametrize(
    "text",
    [
        "from mts1b_quantkit.metrics import sharpe\nratio = sharpe",
        "from mts1b_quantkit import metrics\ndef ratio(r):\n    return metrics.sharpe(r)\n"
        "sharpe = ratio",
        "from pydantic import Field\nclass M(Base):\n    max_drawdown: float = Field(default=0.2)",
        "class M(Base):\n    max_drawdown: list = Field(default_factory=lambda: [])",
        "def f(row):\n    sharpe = row.sharpe\n    return sharpe",
        "sharpe = 1.5\nrow = {'sharpe': 2}\nrow['sharpe'] = 3",
        "setattr(x, 'colour', 1)\nx = type(thing)",
        "from mts1b_platform.config import mts_home\nimport os\nx = mts_home(os.environ)",
        "from mts1b_quantkit.metrics import sharpe as ratio\nsharpe = ratio(after - before)",
        "def f(row):\n    return Report(sharpe=row['sharpe'], max_drawdown=limit)",
        "from mts1b_quantkit import metrics\nsharpe = float(metrics.sharpe(a / b))",
        "x = OrderedDict(sharpe=1)\nsharpe = -1",
        "slack = limit - used",
    ],
)
def test_values_and_handed_on_names_pass(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_research/caller.py": f"{text}\n"}, concept_allowances=())
    assert planted.found_by(PROTECTED_CONCEPTS) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time as t\nclock = t\nx = clock.time()  # <-",
        "import time\nx = getattr(time, 'time')()  # <-",
        "exec('import time\\nx = time.time()')  # <-",
        "import time\nx = time.gmtime()  # <-",
        "import time\nx = time.clock_gettime(0)  # <-",
        "import pandas as pd\nx = pd.Timestamp.now()  # <-",
    ],
)
def test_a_clock_by_another_way_is_caught(plant: Plant, text: str) -> None:
    assert plant({"mts1b_oms/orders.py": f"{text}\n"}).found_by(INJECTED_SEAMS)


def test_a_private_name_by_getattr_is_caught(plant: Plant) -> None:
    text = "from mts1b_platform import clock\nx = getattr(clock, '_epoch')  # <-\n"
    assert plant({"mts1b_oms/a.py": text}).found_by(PUBLIC_NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "async def f(venues, order):\n    for v in venues:\n        await v.submit(order)  # <-",
        "async def f(venues, o):\n    await gather(*[v.submit(o) for v in venues])  # <-",
        "async def f(order):\n    async with create_venue(1) as v:\n"
        "        await v.submit(order)  # <-",
        "async def f(order):\n    if v := create_venue(1):\n        await v.submit(order)  # <-",
        "async def f(venue, order):\n    await type(venue).submit(venue, order)  # <-",
        "async def f(v, order):\n    await BrokerProtocol.submit(v, order)  # <-",
        "from mts1b_foundation.protocols import BrokerProtocol\n"
        "async def f(thing, order):\n    await thing.replace(order)  # <-",
        "from operator import methodcaller\nsend = methodcaller('submit', 1)  # <-",
        "from mts1b_foundation.protocols import BrokerProtocol\n"
        "def f(loop, thing, order):\n    return loop.create_task(thing.submit(order))  # <-",
    ],
)
def test_a_send_by_another_way_is_caught(plant: Plant, text: str) -> None:
    assert plant({"mts1b_oms/reconcile.py": f"{text}\n"}).found_by(VENUE_DOOR)
