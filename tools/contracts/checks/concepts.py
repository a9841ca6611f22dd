"""Each protected concept is defined once, in its home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tools.contracts.check import Check
from tools.contracts.definitions import computed_in, definitions_of, last, snake
from tools.contracts.imports import aliases, imports_of, resolve
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project
from tools.contracts.tables.concepts import Concept

__all__ = ["PROTECTED_CONCEPTS"]

_RULE = "protected-concepts"
_TABLE = "tools/contracts/tables/allowances.py"


@dataclass(frozen=True)
class _Fact:
    """One thing that a module says, which may say a concept again."""

    line: int
    kind: str
    name: str
    path: str = ""
    target: str = ""


def _facts(project: Project, module: Module) -> Iterator[_Fact]:
    bound = aliases(module)
    for found in imports_of(module):
        yield _Fact(found.line, "import", found.top)
    yield from _taken(project, module)
    for made in definitions_of(module):
        yield _Fact(made.line, "definition", made.name, snake(made.name), made.forwards)
    for made in computed_in(module):
        yield _Fact(made.line, "computed", made.name, snake(made.name))
    for node in module.nodes:
        if isinstance(node, (ast.Attribute, ast.Name)):
            path = resolve(node, bound)
            if path is not None:
                yield _Fact(node.lineno, "use", path)
        elif isinstance(node, ast.Subscript):
            path = resolve(node.value, bound)
            if path is not None:
                yield _Fact(node.lineno, "use", f"{path}[]")
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield _Fact(node.lineno, "base", node.name, last(base))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _Fact(node.lineno, "text", node.value)


def _taken(project: Project, module: Module) -> Iterator[_Fact]:
    """Yield what is taken from a package that is not of this house, by its name there and here."""
    bound = aliases(module)
    for node in module.nodes:
        if isinstance(node, ast.Attribute):
            source, _, name = (resolve(node, bound) or "").rpartition(".")
            if source and _is_foreign(project, module, source):
                yield _Fact(node.lineno, "taken", name, snake(name), source)
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        if _is_foreign(project, module, node.module):
            for alias in node.names:
                for name in {alias.name, alias.asname or alias.name}:
                    yield _Fact(node.lineno, "taken", name, snake(name), node.module)


def _is_foreign(project: Project, module: Module, source: str) -> bool:
    top = source.partition(".")[0]
    return top != module.top and project.policy.row_of(top) is None


def _matches(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _problem(fact: _Fact, concept: Concept) -> str | None:
    """Return how a fact says the concept again, or None."""
    match fact.kind:
        case "definition" if concept.definitions.search(fact.path):
            forwards = concept.definitions.search(fact.target) is not None
            return None if forwards else f"defines {fact.name}"
        case "computed" if concept.numeric and concept.definitions.search(fact.path):
            return f"works out {fact.name} by itself"
        case "taken" if concept.definitions.search(fact.path):
            return f"takes {fact.name} from {fact.target}"
        case "import" if fact.name in concept.imports:
            return f"imports {fact.name}"
        case "use" if any(_matches(fact.name, pattern) for pattern in concept.uses):
            return f"uses {fact.name}"
        case "base" if fact.path in concept.bases or concept.definitions.search(snake(fact.path)):
            return f"derives {fact.name} from {fact.path}"
        case "text" if concept.texts.search(fact.name):
            return "holds the address of a chat service"
        case _:
            return None


def _find(project: Project) -> Iterator[Violation]:
    needed: set[tuple[str, str]] = set()
    for module in project.modules():
        facts = tuple(_facts(project, module))
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
