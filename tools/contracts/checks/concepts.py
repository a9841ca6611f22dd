"""Each protected concept is defined once, in its home."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from tools.contracts.check import Check
from tools.contracts.imports import aliases, dotted, imports_of, resolve
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project
from tools.contracts.tables.concepts import Concept

__all__ = ["PROTECTED_CONCEPTS"]

_RULE = "protected-concepts"
_TABLE = "tools/contracts/tables/allowances.py"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _forwards_to(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the name that a function only hands its arguments on to, or an empty text.

    Such a function is one ``return`` of one call or of one attribute.
    """
    body = [part for part in node.body if not _is_text(part) and not isinstance(part, _IMPORTS)]
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    while isinstance(value, ast.Await) or _converts(value):
        value = value.value if isinstance(value, ast.Await) else value.args[0]
    if isinstance(value, ast.Call):
        value = value.func
    return _snake(value.attr if isinstance(value, ast.Attribute) else dotted(value) or "")


_IMPORTS = (ast.Import, ast.ImportFrom)


def _converts(node: ast.expr | None) -> TypeGuard[ast.Call]:
    match node:
        case ast.Call(func=ast.Name(id="float" | "int" | "str" | "Decimal"), args=[_]):
            return True
        case _:
            return False


def _last(node: ast.expr) -> str:
    return (dotted(node) or "").rpartition(".")[2]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _silent(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether the body says nothing, as in a protocol or an overload."""
    return all(_is_text(part) or isinstance(part, ast.Pass) for part in node.body)


@dataclass(frozen=True)
class _Fact:
    """One thing that a module says, which may say a concept again."""

    line: int
    kind: str
    name: str
    path: str = ""
    target: str = ""


def _facts(module: Module) -> Iterator[_Fact]:
    bound = aliases(module)
    for found in imports_of(module):
        yield _Fact(found.line, "import", found.top)
    for node in module.nodes:
        for name, target in _defined(node):
            yield _Fact(getattr(node, "lineno", 1), "definition", name, _snake(name), target)
        if isinstance(node, (ast.Attribute, ast.Name)):
            path = resolve(node, bound)
            if path is not None:
                yield _Fact(node.lineno, "use", path)
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield _Fact(node.lineno, "base", node.name, _last(base))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _Fact(node.lineno, "text", node.value)


def _defined(node: ast.AST) -> list[tuple[str, str]]:
    """Return the names that a node defines, each with what it only hands on to."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [] if _silent(node) else [(node.name, _forwards_to(node))]
    if isinstance(node, ast.ClassDef):
        return [] if any(_last(base) == "Protocol" for base in node.bases) else [(node.name, "")]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return [(target.id, "") for target in node.targets if isinstance(target, ast.Name)]
    return []


def _matches(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _problem(fact: _Fact, concept: Concept) -> str | None:
    """Return how a fact says the concept again, or None."""
    match fact.kind:
        case "definition" if concept.definitions.search(fact.path):
            forwards = concept.definitions.search(fact.target) is not None
            return None if forwards else f"defines {fact.name}"
        case "import" if fact.name in concept.imports:
            return f"imports {fact.name}"
        case "use" if any(_matches(fact.name, pattern) for pattern in concept.uses):
            return f"uses {fact.name}"
        case "base" if fact.path in concept.bases:
            return f"derives {fact.name} from {fact.path}"
        case "text" if concept.texts.search(fact.name):
            return "holds the address of a chat service"
        case _:
            return None


def _find(project: Project) -> Iterator[Violation]:
    needed: set[tuple[str, str]] = set()
    for module in project.modules():
        facts = tuple(_facts(module))
        for concept in _foreign(project, module):
            for fact in facts:
                problem = _problem(fact, concept)
                if problem is None:
                    continue
                allowed = _allowed(project, module, fact.name)
                needed |= allowed
                if not allowed:
                    yield _violation(module, concept, fact.line, problem)
    yield from _stale(project, needed)


def _foreign(project: Project, module: Module) -> list[Concept]:
    """Return the concepts whose home this module is not."""
    concepts = project.policy.concepts
    return [one for one in concepts if not any(module.within(home) for home in one.homes)]


def _allowed(project: Project, module: Module, name: str) -> set[tuple[str, str]]:
    rows = project.policy.concept_allowances
    return {
        (row.module, row.name) for row in rows if row.name == name and module.within(row.module)
    }


def _violation(module: Module, concept: Concept, line: int, problem: str) -> Violation:
    home = " or ".join(concept.homes)
    message = f"{module.name} {problem}: {concept.name} lives in {home}"
    remedy = f"call {home}; if this is no second definition, say why in {_TABLE}"
    return Violation(module.file, line, _RULE, message, remedy)


def _stale(project: Project, needed: set[tuple[str, str]]) -> Iterator[Violation]:
    present = {package.row.import_name for package in project.packages}
    for row in project.policy.concept_allowances:
        here = row.module.partition(".")[0] in present
        if here and project.policy.stale_allowances and (row.module, row.name) not in needed:
            message = f"the allowance of {row.name} in {row.module} is not needed"
            yield Violation(_TABLE, 1, _RULE, message, "remove the row")


PROTECTED_CONCEPTS = Check(
    rule=_RULE, says="Each protected concept is defined in its home alone.", find=_find
)
