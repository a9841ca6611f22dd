"""Everything is caught at three boundaries and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts.checks.broad_except import BROAD_EXCEPT

Plant = Callable[..., Any]
CATCHES = [
    "try:\n    pass\nexcept Exception:  # <-\n    pass",
    "try:\n    pass\nexcept BaseException as error:  # <-\n    raise",
    "try:\n    pass\nexcept:  # <-\n    pass",
    "try:\n    pass\nexcept (ValueError, Exception):  # <-\n    pass",
    "import contextlib\nwith contextlib.suppress(Exception):  # <-\n    pass",
    "class Fence:\n    def __exit__(self, *raised):  # <-\n        raise OSError",
    "class Fence:\n    async def __aexit__(self, *raised):  # <-\n        return True",
]


@pytest.mark.parametrize("text", CATCHES)
def test_a_broad_except_is_caught(plant: Plant, text: str) -> None:
    (violation,) = plant({"mts1b_oms/orders.py": text + "\n"}).found_by(BROAD_EXCEPT)
    assert violation.rule == "broad-except"
    assert "name the errors" in violation.remedy


@pytest.mark.parametrize("text", CATCHES)
@pytest.mark.parametrize("module", ["supervision", "cli", "plugins"])
def test_the_boundaries_may_catch_everything(plant: Plant, text: str, module: str) -> None:
    planted = plant({f"mts1b_platform/{module}.py": text.replace("  # <-", "") + "\n"})
    assert planted.found_by(BROAD_EXCEPT) == []


def test_the_end_of_a_block_that_lets_everything_through_passes(plant: Plant) -> None:
    text = (
        "class Held:\n    def __exit__(self, *raised):\n        self.end()\n        return None\n"
    )
    assert plant({"mts1b_oms/orders.py": text}).found_by(BROAD_EXCEPT) == []


def test_named_errors_pass(plant: Plant) -> None:
    text = "try:\n    pass\nexcept (ValueError, OSError):\n    pass\n"
    assert plant({"mts1b_oms/orders.py": text}).found_by(BROAD_EXCEPT) == []
