"""The workspace itself keeps every contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.contracts import CHECKS, Project, default_policy, read_project, run_checks
from tools.contracts.check import Check
from tools.contracts.tables.boundaries import EXCEPT_BOUNDARIES, SEAM_MODULES


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


@pytest.mark.parametrize(
    ("rule", "table", "exempt"),
    [
        ("venue-door", {"venue_door": ""}, {"mts1b_oms.gateway"}),
        ("injected-seams", {"seam_modules": frozenset()}, SEAM_MODULES),
        ("broad-except", {"except_boundaries": frozenset()}, EXCEPT_BOUNDARIES),
    ],
)
def test_each_exempt_module_does_what_it_is_exempt_for(
    project: Project, rule: str, table: dict[str, Any], exempt: set[str]
) -> None:
    strict = replace(project, policy=replace(project.policy, **table))
    (check,) = (check for check in CHECKS if check.rule == rule)
    caught = {violation.message.partition(" ")[0] for violation in check.find(strict)}
    assert exempt <= caught


def test_the_homes_of_all_concepts_exist(project: Project) -> None:
    homes = {home for concept in project.policy.concepts for home in concept.homes}
    assert [home for home in sorted(homes) if project.module(home) is None] == []
