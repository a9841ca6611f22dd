"""Read the workspace: its packages, their project files, their modules as syntax trees."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tools.contracts.layers import PLUGIN_LAYER, Row
from tools.contracts.outcome import Malformed
from tools.contracts.policy import Policy
from tools.contracts.spelled import walk

__all__ = ["Module", "Package", "Project", "read_plugin", "read_project"]


@dataclass(frozen=True, eq=False)
class Module:
    """One source file. ``name`` is dotted; ``file`` is relative to the root."""

    name: str
    file: str
    tree: ast.Module
    lines: tuple[str, ...]
    is_package: bool

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return every node of the tree, once, and those of what it says in text."""
        return tuple(walk(self.tree))

    @property
    def top(self) -> str:
        """Return the import name of the package that the module is in."""
        return self.name.partition(".")[0]

    def within(self, name: str) -> bool:
        """Tell whether this module is ``name`` or lies below it."""
        return self.name == name or self.name.startswith(name + ".")


@dataclass(frozen=True)
class Package:
    """One distribution of the workspace."""

    row: Row
    project_file: str
    project: Mapping[str, Any]
    modules: tuple[Module, ...]


@dataclass(frozen=True, eq=False)
class Project:
    """What the checks look at. ``folders`` are all top-level folders that look like a package."""

    root: Path
    packages: tuple[Package, ...]
    folders: tuple[str, ...]
    workspace: Mapping[str, Any] | None
    policy: Policy

    def modules(self) -> Iterator[Module]:
        """Yield every module of every package."""
        for package in self.packages:
            yield from package.modules

    def module(self, name: str) -> Module | None:
        """Return a module by its dotted name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, Module]:
        return {module.name: module for module in self.modules()}


def read_project(root: Path, policy: Policy) -> Project:
    """Read the workspace below ``root``.

    :raises Malformed: there is no package, or a file can not be parsed.
    """
    folders = tuple(sorted(path.parent.name for path in root.glob("mts1b-*/pyproject.toml")))
    if not folders:
        raise Malformed(str(root), "no mts1b-*/pyproject.toml", "Name the workspace with --root")
    packages = tuple(
        _read_package(root, row) for row in policy.layers if row.distribution in folders
    )
    workspace_file = root / "pyproject.toml"
    workspace = _read_toml(root, workspace_file) if workspace_file.exists() else None
    return Project(root, packages, folders, workspace, policy)


def read_plugin(folder: Path, policy: Policy) -> Project:
    """Read one package of another author, as if it stood on top of this workspace.

    Its code lies in ``src/NAME`` or in ``NAME``, whatever builds it.

    :raises Malformed: no such folder is found, or a file can not be parsed.
    """
    project = _read_toml(folder, folder / "pyproject.toml")
    distribution = str(project.get("project", {}).get("name", folder.name))
    code = _code_of(folder, project, distribution)
    row = Row(PLUGIN_LAYER, distribution, code.name)
    modules = tuple(_read_module(folder, code.parent, path) for path in sorted(code.rglob("*.py")))
    package = Package(row, "pyproject.toml", project, modules)
    return Project(folder, (package,), (), None, policy)


def _code_of(folder: Path, project: Mapping[str, Any], distribution: str) -> Path:
    """Return the folder of the import package: the declared one, or the only one there is."""
    backend = project.get("tool", {}).get("uv", {}).get("build-backend", {})
    named = str(backend.get("module-name", re.sub(r"[-.]+", "_", distribution)))
    for place in (folder / "src" / named, folder / named):
        if (place / "__init__.py").exists():
            return place
    found = [path.parent for path in sorted(folder.glob("src/*/__init__.py"))]
    found = found or [
        path.parent for path in sorted(folder.glob("*/__init__.py")) if path.parent.name != "tests"
    ]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(path.name for path in found) or "none"
    raise Malformed(
        folder.name,
        f"which import package is it? found: {shown}",
        f"Lay the code of {distribution} into src/{named}",
    )


def _read_package(root: Path, row: Row) -> Package:
    folder = root / row.distribution
    project_file = folder / "pyproject.toml"
    return Package(
        row=row,
        project_file=project_file.relative_to(root).as_posix(),
        project=_read_toml(root, project_file),
        modules=tuple(_read_modules(root, folder, row.import_name)),
    )


def _read_toml(root: Path, path: Path) -> Mapping[str, Any]:
    where = path.relative_to(root).as_posix()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Malformed(where, "does not exist", "Name a folder with a project file") from None
    except tomllib.TOMLDecodeError as error:
        raise Malformed(where, f"is not TOML: {error}", "Repair the file") from error


def _read_modules(root: Path, folder: Path, import_name: str) -> Iterator[Module]:
    source = folder / "src"
    for path in sorted((source / import_name).rglob("*.py")):
        yield _read_module(root, source, path)


def _read_module(root: Path, source: Path, path: Path) -> Module:
    parts = path.relative_to(source).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    where = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text, filename=where)
    except SyntaxError as error:
        raise Malformed(
            f"{where}:{error.lineno or 1}", f"is not Python: {error.msg}", "Repair the file"
        ) from error
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(name, where, tree, tuple(text.splitlines()), is_package)
