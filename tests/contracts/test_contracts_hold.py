"""The workspace itself keeps every contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.contracts import CHECKS, Project, default_policy, read_project, run_checks
from tools.contracts.check import Check


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project(Path(__file__).resolve().parents[2], default_policy())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.rule)
def test_the_contract_holds(project: Project, check: Check) -> None:
    report = run_checks(project, [check])
    assert report.clean, "\n" + "\n".join(str(violation) for violation in report.violations)


def test_the_door_and_the_boundaries_exist(project: Project) -> None:
    policy = project.policy
    named = {policy.venue_door, *policy.except_boundaries, *policy.seam_modules}
    assert [name for name in sorted(named) if project.module(name) is None] == []


def test_the_homes_of_all_concepts_exist(project: Project) -> None:
    homes = {home for concept in project.policy.concepts for home in concept.homes}
    assert [home for home in sorted(homes) if project.module(home) is None] == []
