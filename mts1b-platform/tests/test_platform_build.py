"""Two builds on one home (L1): the odd one out refuses to start."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mts1b_platform.config import Settings
from mts1b_platform.service.build import BuildMismatch, build_id, require_one_build
from mts1b_platform.service.run import run_services

GONE = 2**22 - 3
"""A process id that no process has: beyond the kernel's default highest."""


def announce(folder: Path, name: str, **words: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = {"pid": os.getpid(), "health_port": 1, "build": "aaaa"} | words
    (folder / f"{name}.json").write_text(json.dumps(text))


def test_l1_a_service_of_another_build_refuses_to_start(tmp_path: Path) -> None:
    announce(tmp_path, "riskengine", build="bbbb")
    announce(tmp_path, "operations")
    with pytest.raises(BuildMismatch, match=r"riskengine .*build bbbb") as caught:
        require_one_build(tmp_path, ["oms"], "aaaa")
    assert "operations" not in str(caught.value)


def test_l1_who_does_not_say_of_which_build_he_is_counts_as_another(tmp_path: Path) -> None:
    (tmp_path / "oms.json").write_text(json.dumps({"pid": os.getpid(), "health_port": 1}))
    with pytest.raises(BuildMismatch, match="build unknown"):
        require_one_build(tmp_path, ["riskengine"], "aaaa")


def test_one_build_starts_and_what_is_gone_or_its_own_does_not_count(tmp_path: Path) -> None:
    announce(tmp_path, "operations")
    announce(tmp_path, "research", build="bbbb", pid=GONE)
    announce(tmp_path, "oms", build="bbbb")
    (tmp_path / "latency.json").write_text(json.dumps({"pid": os.getpid()}))
    (tmp_path / "torn.json").write_text('{"pid"')
    require_one_build(tmp_path, ["oms"], "aaaa")
    require_one_build(tmp_path / "none", ["oms"], "aaaa")
    with pytest.raises(BuildMismatch, match="oms"):
        require_one_build(tmp_path, ["riskengine"], "aaaa")


def test_a_build_is_the_files_of_every_part() -> None:
    assert build_id() == build_id()
    parts = {("mts1b-oms", "0.1", "a.py,sha256=1,"), ("mts1b-brokers", "0.1", "b.py,sha256=2,")}
    found = set()
    for changed in (
        parts,
        {("mts1b-oms", "0.1", "a.py,sha256=9,"), ("mts1b-brokers", "0.1", "b.py,sha256=2,")},
        {("mts1b-oms", "0.2", "a.py,sha256=1,"), ("mts1b-brokers", "0.1", "b.py,sha256=2,")},
        {("mts1b-oms", "0.1", "a.py,sha256=1,")},
    ):
        found.add(build_id(changed))
    assert len(found) == 4


def test_l1_the_host_looks_before_it_starts_anything(tmp_path: Path) -> None:
    announce(tmp_path / "run", "operations", build="bbbb")
    settings = Settings.model_validate({"bus": {"kind": "local"}})
    with pytest.raises(BuildMismatch):
        run_services(["riskengine"], home=tmp_path, settings=settings)
    assert not (tmp_path / "db").exists()
