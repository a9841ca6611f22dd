"""``mts cmd flatten`` and ``flatten-paper``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from mts1b_platform.cli import emit

from mts1b_operations.acts import (
    ActorOption,
    JsonOption,
    ReasonOption,
    ScopeArgument,
    YesOption,
    confirm,
    emit_done,
    home_of,
)
from mts1b_operations.errors import NotConfirmed, NothingRuns, OperationsError, ResidueLeft
from mts1b_operations.plain_text import for_terminal

if TYPE_CHECKING:
    from mts1b_operations.go_flat import FlatDone

__all__ = ["flatten", "flatten_paper"]


def flatten(
    scope: ScopeArgument = None,
    reason: ReasonOption = "",
    operator: Annotated[str, typer.Option(help="whose key signs; see operator-key")] = "",
    yes: YesOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the positions, no more")] = False,
    wait: Annotated[float, typer.Option(min=0.0, help="seconds to wait for the fills")] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Halt but for reduce-only orders, cancel, and close every position of the scope at market.

    Each closing order passes risk. Exit code 1 while a position is left, each with its reason.
    """
    from mts1b_operations import go_flat
    from mts1b_operations.scopes import scope_named

    home = home_of()
    chosen = scope_named(home, scope)
    if dry_run:
        _show(home, chosen, as_json)
        return
    if not operator:
        raise NotConfirmed(
            "a flatten is signed: give --operator NAME (see `mts cmd operator-key`), or --dry-run "
            "to see what it would close"
        )
    text = confirm("FLATTEN", f"close every position of {chosen}", yes=yes, reason=reason)
    done = asyncio.run(
        go_flat.go_flat(home, chosen, reason=text, operator=operator, patience_s=wait)
    )
    lines = [
        f"HALTED {chosen} but for reduce-only orders ({done.halt_id})",
        *(f"{o.side.value} {o.quantity:f} {o.symbol}: {o.status.value}" for o in done.orders),
        *(f"LEFT {left.name}: {left.quantity:f}, {left.why}" for left in done.left),
        f"it stays halted until: mts cmd resume {'' if scope is None else scope + ' '}"
        f"--operator NAME{' --cosigner NAME' if chosen == 'firm' else ''}",
    ]
    emit_done(_facts(done), as_json, text=for_terminal(lines), failure=_failure(done, chosen))


def _show(home: Path, scope: str, as_json: bool) -> None:
    from mts1b_operations import go_flat

    held = asyncio.run(go_flat.open_positions(home, scope))
    lines = [f"{name}: {quantity:f}" for name, quantity in held.items()]
    facts = {"scope": scope, "dry_run": True, "positions": held}
    emit(facts, as_json, text=for_terminal(lines) or f"{scope} is flat")


def _facts(done: FlatDone) -> dict[str, Any]:
    return {
        "halt_id": done.halt_id,
        "orders": [order.model_dump(mode="json") for order in done.orders],
        "left": [
            {"position": left.name, "quantity": left.quantity, "why": left.why}
            for left in done.left
        ],
        "residue": list(done.residue),
        "unknown": done.unknown,
    }


def _failure(done: FlatDone, scope: str) -> OperationsError | None:
    if done.unknown:
        return NothingRuns(
            f"{scope} is halted, and what is left of it is not known: {done.unknown}. Run it "
            "again when the system answers: nothing is sent twice"
        )
    if done.left:
        names = "; ".join(f"{left.name} ({left.why})" for left in done.left)
        return ResidueLeft(f"{len(done.left)} positions are left: {names}")
    if done.residue:
        orders = ", ".join(done.residue)
        return ResidueLeft(f"no position is left; these orders may still be open: {orders}")
    return None


def flatten_paper(
    reason: ReasonOption = "",
    operator: ActorOption = "terminal",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Close every paper position at market; exit code 1 when an order is refused."""
    from mts1b_operations import flatten

    text = confirm("FLATTEN", "close every paper position", yes=yes, reason=reason)
    orders = asyncio.run(
        flatten.flatten_paper(home_of(), reason=text, actor=f"operator:{operator}")
    )
    lines = [f"{o.side.value} {o.quantity} {o.symbol}: {o.status.value}" for o in orders]
    names = ", ".join(f"{o.symbol} ({o.rejected_code})" for o in flatten.left_open(orders))
    emit_done(
        {"orders": [order.model_dump(mode="json") for order in orders]},
        as_json,
        text="\n".join(lines) or "no positions",
        failure=ResidueLeft(f"these positions stay: {names}") if names else None,
    )
