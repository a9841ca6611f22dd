"""Every package has its row, and every row its package."""

from __future__ import annotations

from collections.abc import Iterator

from tools.contracts.check import Check
from tools.contracts.outcome import Violation
from tools.contracts.project import Package, Project

__all__ = ["EXHAUSTIVE_LAYERS"]

_RULE = "exhaustive-layers"
_TABLE = "tools/contracts/layers.py"


def _unlisted(project: Project) -> Iterator[Violation]:
    listed = {row.distribution for row in project.policy.layers}
    for folder in project.folders:
        if folder not in listed:
            message = f"{folder} is in no layer"
            remedy = f"add its row to {_TABLE}"
            yield Violation(f"{folder}/pyproject.toml", 1, _RULE, message, remedy)


def _missing(project: Project) -> Iterator[Violation]:
    for row in project.policy.layers:
        if project.folders and row.distribution not in project.folders:
            message = f"{row.distribution} is listed on layer {row.layer} and has no folder"
            yield Violation(_TABLE, 1, _RULE, message, "add the package, or remove its row")


def _misnamed(package: Package) -> Iterator[Violation]:
    row = package.row
    named = package.project.get("project", {}).get("name")
    if named != row.distribution:
        message = f"the folder is {row.distribution}, the distribution is named {named}"
        remedy = "give folder, row and [project] name the same name"
        yield Violation(package.project_file, 1, _RULE, message, remedy)
    if not package.modules:
        message = f"{row.distribution} has no src/{row.import_name}"
        remedy = f"name the import package as {_TABLE} does"
        yield Violation(package.project_file, 1, _RULE, message, remedy)


def _hidden(project: Project, package: Package) -> Iterator[Violation]:
    """Find code beside the import package, which no other check reads."""
    source = (project.root / package.project_file).parent / "src"
    for path in sorted(source.iterdir()) if source.is_dir() else ():
        beside = path.name != package.row.import_name
        code = path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
        if beside and code and not path.name.endswith((".egg-info", ".dist-info")):
            message = f"{package.row.distribution} has code in src/{path.name}"
            remedy = f"move it into src/{package.row.import_name}; nothing else is checked"
            yield Violation(package.project_file, 1, _RULE, message, remedy)


def _outside_workspace(project: Project) -> Iterator[Violation]:
    if project.workspace is None:
        return
    sources = project.workspace.get("tool", {}).get("uv", {}).get("sources", {})
    for package in project.packages:
        if package.row.distribution not in sources:
            message = f"[tool.uv.sources] does not name {package.row.distribution}"
            remedy = f"add '{package.row.distribution} = {{ workspace = true }}'"
            yield Violation("pyproject.toml", 1, _RULE, message, remedy)


def _find(project: Project) -> Iterator[Violation]:
    yield from _unlisted(project)
    yield from _missing(project)
    for package in project.packages:
        yield from _misnamed(package)
        yield from _hidden(project, package)
    yield from _outside_workspace(project)


EXHAUSTIVE_LAYERS = Check(
    rule=_RULE, says="Each package folder has one row in the layer table.", find=_find
)
