"""Each of the seventeen concepts is defined once; a second definition is caught anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts import run_checks
from tools.contracts.checks.concepts import PROTECTED_CONCEPTS
from tools.contracts.tables.allowances import ConceptAllowance
from tools.contracts.tables.concepts import CONCEPTS

Plant = Callable[..., Any]
SECOND = {
    "hierarchical risk parity": [
        "def hrp_weights(returns):  # <-\n    x = 1\n    return x",
        "class HierarchicalRiskParity:  # <-\n    pass",
    ],
    "Black-Litterman": ["def _black_litterman_posterior(mean):  # <-\n    return mean + 1"],
    "walk-forward and purged cross-validation": [
        "class PurgedKFold:  # <-\n    pass",
        "def walk_forward_splits(n):  # <-\n    yield n",
    ],
    "Sharpe, Sortino, Calmar and maximum drawdown": [
        "def sharpe(r):  # <-\n    return r.mean() / r.std()",
        "def _compute_sharpe_ratio(r):  # <-\n    return divide(mean(r), std(r))",
        "class Tearsheet:\n    def max_drawdown(self):  # <-\n        return min(self.dd)",
        "sortino = lambda r: r  # <-",
    ],
    "Kelly and volatility targeting": [
        "def kelly_fraction(p, b):  # <-\n    return p - (1 - p) / b",
        "def vol_target_weights(w):  # <-\n    return w * 2",
    ],
    "Telegram and Slack dispatch": [
        "async def send_telegram(text):  # <-\n    pass_on = text\n    await pass_on",
        "class SlackNotifier:  # <-\n    pass",
        "import apprise  # <-",
        "URL = 'https://api.telegram.org/bot'  # <-",
    ],
    "fee and slippage models": [
        "class FeeModel:  # <-\n    pass",
        "def square_root_impact(q):  # <-\n    return q ** 0.5",
    ],
    "calendars and holidays": [
        "def is_holiday(day):  # <-\n    return day in DAYS",
        "import exchange_calendars as xc  # <-",
    ],
    "symbol normalisation": ["def normalize_symbol(s):  # <-\n    return s.strip() + ''"],
    "ADV and liquidity filters": ["def adv_filter(v):  # <-\n    return v > 1"],
    "logging set-up": [
        "def setup_logging():  # <-\n    level = 1\n    return level",
        "import logging\nlogging.basicConfig(level=10)  # <-",
        "from structlog import configure\nconfigure()  # <-",
    ],
    "configuration from the environment": [
        "from pydantic_settings import BaseSettings  # <-\nclass S(BaseSettings):  # <-\n    x = 1",
    ],
    "database connections": [
        "from sqlalchemy.ext.asyncio import create_async_engine as make\ne = make('x')  # <-",
        "import sqlite3\nc = sqlite3.connect('x')  # <-",
    ],
    "retry": [
        "from tenacity import stop_after_attempt  # <-",
        "def with_retry(call):  # <-\n    for _ in range(3):\n        call()",
    ],
    "rate limiters": [
        "import aiolimiter  # <-",
        "class TokenBucket:  # <-\n    pass",
    ],
    "HTTP client factory": [
        "import httpx2  # <-\nclient = httpx2.AsyncClient()",
        "from urllib.request import urlopen\nurlopen('x')  # <-",
    ],
    "secrets redaction": ["def redact(text):  # <-\n    return text.replace('a', '*' * 3)"],
}
CASES = [(name, text) for name, texts in SECOND.items() for text in texts]


def test_every_concept_has_a_planted_second_definition() -> None:
    assert [concept.name for concept in CONCEPTS] == list(SECOND)
    assert len(CONCEPTS) == 17


@pytest.mark.parametrize(("name", "text"), CASES)
def test_a_second_definition_is_caught(plant: Plant, name: str, text: str) -> None:
    planted = plant({"mts1b_research/second.py": text + "\n"}, concept_allowances=())
    for violation in planted.found_by(PROTECTED_CONCEPTS):
        assert violation.rule == "protected-concepts"
        assert name in violation.message
        assert violation.remedy.startswith("call mts1b_")


@pytest.mark.parametrize(("name", "text"), CASES)
def test_the_same_text_in_its_home_passes(plant: Plant, name: str, text: str) -> None:
    home = next(concept.homes[0] for concept in CONCEPTS if concept.name == name)
    path = home.replace(".", "/") + ("/inside.py" if "." not in home else ".py")
    planted = plant({path: text.replace("  # <-", "") + "\n"}, concept_allowances=())
    assert planted.found_by(PROTECTED_CONCEPTS) == []


@pytest.mark.parametrize(
    "text",
    [
        "from mts1b_quantkit.metrics import sharpe\nprint(sharpe([1]))",
        "def sharpe(r):\n    '''On.'''\n    import mts1b_quantkit as q\n    return q.sharpe(r)",
        "class R:\n    def max_drawdown(self):\n        return float(q.max_drawdown(1))",
        "class Calendar(Protocol):\n    def is_holiday(self, day) -> bool: ...",
        "class MarketCalendar(Protocol):\n    name: str",
        "sharpe_by_fund = {}\nmax_drawdown_limit = 0.2",
        "import logging\nlog = logging.getLogger('x')",
    ],
)
def test_calling_or_handing_on_is_no_definition(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_research/caller.py": text + "\n"}, concept_allowances=())
    assert planted.found_by(PROTECTED_CONCEPTS) == []


def test_a_reasoned_row_lets_one_name_pass_and_is_reported_when_stale(plant: Plant) -> None:
    row = ConceptAllowance("mts1b_research.fast", "sharpe", "a kernel that can not call out")
    text = "def sharpe(r):\n    return r + 1\n"
    planted = plant({"mts1b_research/fast.py": text}, concept_allowances=(row,))
    assert planted.found_by(PROTECTED_CONCEPTS) == []
    stale = plant({"mts1b_research/fast.py": ""}, concept_allowances=(row,), stale_allowances=True)
    (violation,) = run_checks(stale.project(), [PROTECTED_CONCEPTS]).violations
    assert "is not needed" in violation.message
