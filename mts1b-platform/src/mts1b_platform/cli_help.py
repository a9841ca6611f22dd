"""What a command says of itself, read in its source: importing it costs too much for a list."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

__all__ = ["help_in_source"]


def help_in_source(entry: str) -> str:
    """Return the ``help`` that ``module:app`` is made with; empty where it can not be read."""
    module, _, name = entry.partition(":")
    path = _file_of(module)
    if path is None:
        return ""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return ""
    for statement in body:
        if isinstance(statement, ast.Assign) and _names(statement) == [name]:
            return _help_in(statement.value)
    return ""


def _file_of(module: str) -> Path | None:
    """Return the file of a module, found without importing its package."""
    top, *inner = module.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    place = Path(spec.origin).parent.joinpath(*inner)
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _names(statement: ast.Assign) -> list[str]:
    return [target.id for target in statement.targets if isinstance(target, ast.Name)]


def _help_in(value: ast.expr) -> str:
    for keyword in value.keywords if isinstance(value, ast.Call) else ():
        if keyword.arg == "help" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""
