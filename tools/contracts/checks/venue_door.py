"""Only the gateway hands an order to a venue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from typing import TypeGuard

from tools.contracts.check import Check
from tools.contracts.imports import aliases, imports_of, resolve
from tools.contracts.outcome import Violation
from tools.contracts.project import Module, Project

__all__ = ["VENUE_DOOR"]

_RULE = "venue-door"
_SENDS = frozenset({"submit", "replace"})
_VENUE_NAME = re.compile(
    r"(^|_)(venue|broker|exchange|adapter|paper)(s|_client|_for|_by\w*)?$", re.I
)
_VENUE_TYPE = re.compile(r"^(BrokerProtocol|SimulatedVenue|create_venue|PaperClient)$")
_EXEMPT_PACKAGES = frozenset({"mts1b_brokers", "mts1b_pluginsdk", "mts1b_foundation"})
"""Brokers are the venue; the SDK tests venues of others; foundation only declares them."""
_OTHER_SENDER = re.compile(r"(^|_)(oms|oms_client|orders|executor|pool)$", re.I)


def _last(node: ast.expr) -> str:
    """Return the last name of a receiver, seen through calls, subscripts and awaits."""
    if isinstance(node, ast.Attribute):
        return _last(node.value) if node.attr == "__class__" else node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        whose = isinstance(node.func, ast.Name) and node.func.id == "type" and node.args
        return _last(node.args[0] if whose else node.func)
    if isinstance(node, (ast.Subscript, ast.Await)):
        return _last(node.value)
    return ""


def _is_venue_type(node: ast.expr | None, bound: Mapping[str, str]) -> bool:
    """Tell whether an annotation or a constructor names a venue, through unions and containers."""
    if node is None:
        return False
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    names = [re.split(r"\W+", text)] if text else []
    names += [
        [_last(part)] for part in ast.walk(node) if isinstance(part, (ast.Name, ast.Attribute))
    ]
    if any(_VENUE_TYPE.match(name) for group in names for name in group):
        return True
    path = resolve(node, bound) or ""
    return path.startswith("mts1b_brokers.") and path.rpartition(".")[2][:1].isupper()


def _venue_variables(module: Module, bound: Mapping[str, str]) -> set[str]:
    """Return names and attributes that hold a venue, by annotation or by what they are given."""
    held: set[str] = set()
    for _ in range(2):  # the second pass follows `self._v = v`
        for node in module.nodes:
            held |= _holds(node, bound, held)
    return held


def _holds(node: ast.AST, bound: Mapping[str, str], held: set[str]) -> set[str]:
    if isinstance(node, ast.arg) and _is_venue_type(node.annotation, bound):
        return {node.arg}
    if isinstance(node, ast.AnnAssign) and _is_venue_type(node.annotation, bound):
        return {_last(node.target)}
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        return {_last(node.target)} - {""} if _venue(node.iter, bound, held) else set()
    value, targets = _given(node)
    value = value.value if isinstance(value, ast.Await) else value
    made = isinstance(value, ast.Call) and _is_venue_type(value.func, bound)
    copied = isinstance(value, (ast.Name, ast.Attribute)) and _last(value) in held
    return {_last(target) for target in targets if _last(target)} if made or copied else set()


def _given(node: ast.AST) -> tuple[ast.expr | None, list[ast.expr]]:
    """Return what a node gives to which names."""
    if isinstance(node, ast.Assign):
        return node.value, node.targets
    if isinstance(node, ast.NamedExpr):
        return node.value, [node.target]
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return node.context_expr, [node.optional_vars]
    return None, []


def _reaches_venues(module: Module) -> bool:
    """Tell whether a module imports the venues or their protocol."""
    return any(
        found.module.startswith("mts1b_brokers.registry")
        or found.name in {"BrokerProtocol", "create_venue"}
        for found in imports_of(module)
    )


def _sends(module: Module) -> Iterator[tuple[int, str]]:
    bound = aliases(module)
    held = _venue_variables(module, bound)
    suspicious = _reaches_venues(module)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in _SENDS:
            if _venue(node.value, bound, held):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call) and _by_name(node):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call) and suspicious and _unknown_send(node, {"submit"}):
            yield node.lineno, ast.unparse(node.func)
        elif isinstance(node, ast.Await) and suspicious and _unknown_send(node.value, _SENDS):
            yield node.lineno, ast.unparse(node.value.func)


def _venue(node: ast.expr, bound: Mapping[str, str], held: set[str]) -> bool:
    name = _last(node)
    if isinstance(node, ast.Call) and _is_venue_type(node.func, bound):
        return True
    return name in held or bool(_VENUE_NAME.search(name) or _VENUE_TYPE.match(name))


def _by_name(node: ast.Call) -> bool:
    """Tell whether a call makes one that sends, by the name of the method."""
    first = node.args[0] if node.args else None
    return (
        _last(node.func) in {"methodcaller", "attrgetter"}
        and isinstance(first, ast.Constant)
        and first.value in _SENDS
    )


def _unknown_send(node: ast.expr, names: Set[str]) -> TypeGuard[ast.Call]:
    """Tell whether a call has one of these names and goes to nobody who is known.

    ``replace`` is also a method of texts and times, so it counts where it is awaited.
    """
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    return node.func.attr in names and _OTHER_SENDER.search(_last(node.func.value)) is None


def _find(project: Project) -> Iterator[Violation]:
    door = project.policy.venue_door
    for module in project.modules():
        if module.name == door or module.top in _EXEMPT_PACKAGES:
            continue
        for line, shown in _sends(module):
            message = f"{module.name} sends to a venue: {shown}"
            remedy = f"submit to the OMS; only {door} may send, with a verified approval"
            yield Violation(module.file, line, _RULE, message, remedy)


VENUE_DOOR = Check(rule=_RULE, says="Only the OMS gateway hands an order to a venue.", find=_find)
