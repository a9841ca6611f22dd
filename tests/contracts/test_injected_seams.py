"""Nothing reads a clock, randomness, an id or a thread from its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts import Malformed, run_checks
from tools.contracts.checks.seams import INJECTED_SEAMS

Plant = Callable[..., Any]
READS = [
    "from datetime import datetime\nx = datetime.now()  # <-",
    "import datetime as dt\nx = dt.datetime.utcnow()  # <-",
    "from datetime import date\nx = date.today()  # <-",
    "import time\nx = time.time()  # <-",
    "from time import monotonic as tick\nx = tick()  # <-",
    "import time\nclock = time.perf_counter  # <-",
    "def f():\n    import time\n    time.sleep(1)  # <-",
    "import random\nx = random.random()  # <-",
    "from random import choice\nx = choice([1])  # <-",
    "import uuid\nx = uuid.uuid4()  # <-",
    "from dataclasses import field\nfrom uuid import uuid1\nx = field(default_factory=uuid1)  # <-",
    "import os\nx = os.urandom(8)  # <-",
    "import secrets\nx = secrets.token_hex()  # <-",
    "import threading\nx = threading.Lock()  # <-",
    "import asyncio\nx = asyncio.to_thread(print)  # <-",
    "async def f(loop):\n    await loop.run_in_executor(None, print)  # <-",
    "from concurrent.futures import ThreadPoolExecutor\nx = ThreadPoolExecutor()  # <-",
    "import numpy as np\nx = np.random.normal(3)  # <-",
    "import numpy as np\nnp.random.seed(3)  # <-",
    "import numpy as np\nx = np.random.default_rng()  # <-",
    "from numpy.random import default_rng\nx = default_rng()  # <-",
]


@pytest.mark.parametrize("text", READS)
def test_an_ambient_read_is_caught(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_oms/orders.py": text + "\n"})
    (violation,) = planted.found_by(INJECTED_SEAMS)
    assert violation.rule == "injected-seams"


@pytest.mark.parametrize("text", READS)
def test_a_seam_may_read_it(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_platform/clock.py": text.replace("  # <-", "") + "\n"})
    assert planted.found_by(INJECTED_SEAMS) == []


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime\nx = datetime(2020, 1, 1)\ny = datetime.fromisoformat('x')",
        "import numpy as np\nx = np.random.default_rng(7)\ndef f(rng: np.random.Generator): ...",
        "import asyncio\nx = asyncio.sleep(0)",
        "async def f(clock, rng):\n    await clock.sleep(1)\n    return clock.now(), rng.random()",
        "import uuid\nx = uuid.uuid5(uuid.NAMESPACE_URL, 'a')",
    ],
)
def test_what_is_given_in_passes(plant: Plant, text: str) -> None:
    assert plant({"mts1b_oms/orders.py": text + "\n"}).found_by(INJECTED_SEAMS) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\nx = time.time()  # seam-ok: the supervisor stands below every clock\n",
        "import time\n# seam-ok: the supervisor stands below every clock\nx = time.time()\n",
    ],
)
def test_a_reasoned_marker_lets_a_line_pass_and_is_counted(plant: Plant, text: str) -> None:
    report = run_checks(plant({"mts1b_deploy/keep.py": text}).project(), [INJECTED_SEAMS])
    assert report.clean
    assert report.markers == {"seam-ok": 1}


def test_a_marker_without_a_reason_is_malformed(plant: Plant) -> None:
    planted = plant({"mts1b_deploy/keep.py": "import time\nx = time.time()  # seam-ok\n"})
    with pytest.raises(Malformed, match=r"keep\.py:2: # seam-ok has no reason"):
        run_checks(planted.project(), [INJECTED_SEAMS])


def test_a_marker_that_lets_nothing_pass_is_caught(plant: Plant) -> None:
    planted = plant({"mts1b_deploy/keep.py": "x = 1  # seam-ok: it was needed once\n"})
    (violation,) = run_checks(planted.project(), [INJECTED_SEAMS]).violations
    assert (violation.rule, violation.line) == ("unused-marker", 1)


def test_a_marker_does_not_cover_the_next_line_of_code(plant: Plant) -> None:
    text = "import time\nx = time.time()  # seam-ok: below every clock\ny = time.time()  # <-\n"
    assert len(plant({"mts1b_deploy/keep.py": text}).found_by(INJECTED_SEAMS)) == 1
