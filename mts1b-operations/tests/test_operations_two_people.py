"""Two operators are two keys: one key under two names is one person."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mts1b_foundation.risk import HaltRequest
from mts1b_operations import HaltManager, ResumeRefused
from mts1b_operations.commands import create_operator_key
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from operations_world import START


async def test_one_key_under_two_names_does_not_resume_the_firm(tmp_path: Path) -> None:
    create_operator_key(tmp_path, "jane")
    keys = tmp_path / "keys"
    for kind in ("key", "pub"):
        shutil.copy(keys / f"operator-jane.{kind}", keys / f"operator-bob.{kind}")
    halt = HaltRequest.model_validate(
        {"severity": "FIRM_HALT", "reason": "a drill", "requested_by": "operator:ann"}
    )
    async with HaltManager(home=tmp_path, clock=VirtualClock(START)) as manager:
        await manager.request(halt)
        with pytest.raises(ResumeRefused, match="two different keys"):
            await manager.resume(cosigned_by="operator:jane", second_by="operator:bob")
    assert [item.scope for item in HaltStore(tmp_path / "halt").state().active] == ["firm"]
