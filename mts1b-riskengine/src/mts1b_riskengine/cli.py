"""``mts risk``: look at limits, change them, list the gates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Limits and gates of the risk engine.",
)
envelope = typer.Typer(no_args_is_help=True, help="Show and update the envelope of a fund.")
app.add_typer(envelope, name="envelope")


@app.callback()
def _risk() -> None:
    pass


@app.command()
def gates(as_json: JsonOption = False) -> None:
    """Print every gate: whether it is on, what it asks, its codes, its inputs, its source."""
    from dataclasses import asdict

    from mts1b_platform.cli import emit

    from mts1b_riskengine.gates import GATE_TABLE, is_active

    limits, mandates = _configured()
    rows = []
    for card in GATE_TABLE:
        row = {key: _plain(value) for key, value in asdict(card).items()}
        row["state"] = "on" if is_active(card, limits, mandates) else "off"
        rows.append(row | {"kind": card.kind})
    text = "\n\n".join(_block(row) for row in rows)
    emit(rows, as_json, text=text)


def _plain(value: Any) -> Any:
    """Return codes as text, tuples as lists."""
    if not isinstance(value, tuple):
        return value
    return [item if isinstance(item, int) else str(item) for item in value]


def _configured() -> tuple[Any, Any]:
    """Return the limits and mandates of the configuration of this home."""
    from mts1b_platform.config import load_settings, mts_home

    from mts1b_riskengine.mandates import mandates_of

    settings = load_settings(mts_home(os.environ))
    return settings.limits, mandates_of(settings)


@app.command()
def report() -> None:
    """Print the controls report of this configuration as Markdown."""
    from mts1b_riskengine.report import render

    typer.echo(render(*_configured()), nl=False)


@app.command()
def blocks(
    fund: Annotated[str | None, typer.Option(help="only of this fund")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the soft blocks that two operators may override, oldest first."""
    from mts1b_platform.cli import emit

    found = asyncio.run(_ask(lambda client: client.blocks(fund_id=fund)))
    rows = [block.model_dump(mode="json") for block in found]
    text = "\n\n".join(_block_lines(row) for row in rows) or "no soft block waits"
    emit(rows, as_json, text=text)


def _block_lines(row: dict[str, Any]) -> str:
    order, override = row["order"], row["override"]
    state = "waits for two operators" if override is None else "overridden, waits for its order"
    price = order["limit_price"] or "market"
    return "\n".join(
        (
            f"{row['block_id']}: {row['code']}, {state}",
            f"  order      {order['side']} {order['quantity']} {order['symbol']} at {price}, "
            f"{order['fund_id']}/{order['strategy_id']}",
            f"  reason     {row['reason']}, value {row['value']}, limit {row['limit']}",
            f"  until      {(override or row)['expires_at']}",
        )
    )


@app.command()
def override(
    block: Annotated[str, typer.Argument(help="block id; see `mts risk blocks`")],
    reason: Annotated[str, typer.Option(help="why it may pass, at least ten characters")],
    operator: Annotated[str, typer.Option(help="who asks; the key must be on this machine")],
    second: Annotated[str, typer.Option(help="who agrees, another operator")],
    minutes: Annotated[
        float, typer.Option(min=0.0, max=525_600.0, help="how long the order may take to come")
    ] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Let one order with the economics of a soft block pass, signed by two operators."""
    from mts1b_platform.cli import emit

    signed = _signed(block, reason, operator, second, minutes)
    done = asyncio.run(_ask(lambda client: client.override(signed)))
    text = f"{done.block_id}: one such order may pass until {signed.expires_at.isoformat()}"
    emit(done.model_dump(mode="json"), as_json, text=text)


def _signed(block: str, reason: str, operator: str, second: str, minutes: float) -> Any:
    """Return the override with both signatures.

    :raises OverrideRefused: when a word does not fit, or a key is not here.
    """
    from datetime import timedelta

    from mts1b_platform.clock import SystemClock
    from pydantic import ValidationError

    from mts1b_riskengine.errors import OverrideRefused
    from mts1b_riskengine.overrides import sign_override

    now = SystemClock().now()
    try:
        return sign_override(
            _keys(),
            block_id=block,
            reason=reason,
            requested_by=f"operator:{operator}",
            approved_by=f"operator:{second}",
            requested_at=now,
            expires_at=now + timedelta(minutes=minutes),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "override"
        raise OverrideRefused(f"{where}: {first['msg']}") from error


def _block(row: dict[str, Any]) -> str:
    lines = [f"{row['gate']} ({row['state']}, {row['kind']}): {row['asks']}"]
    for key in ("controls", "codes", "inputs", "on_failure", "limits", "source"):
        value = row[key]
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value) or "none"
        lines.append(f"  {key.replace('_', ' '):<11}{value}")
    return "\n".join(lines)


@envelope.command()
def show(
    fund: Annotated[str, typer.Argument(help="fund id")],
    history: Annotated[bool, typer.Option("--history", help="every version")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the envelope in force, from the engine's store (the engine need not run).

    What is printed may be changed and given to `update`.
    """
    import yaml
    from mts1b_platform.cli import emit

    versions = asyncio.run(_stored(fund))
    shown = [item.model_dump(mode="json") for item in (versions if history else versions[-1:])]
    text = yaml.safe_dump_all(shown, sort_keys=False).rstrip()
    emit(shown if history else shown[0], as_json, text=text)


async def _stored(fund: str) -> list[Any]:
    """Return every version of a fund's envelope.

    :raises EnvelopeMissing: when the store has none.
    """
    from mts1b_platform.clock import SystemClock
    from mts1b_platform.config import load_settings, mts_home
    from mts1b_platform.store import Store

    from mts1b_riskengine.envelopes import EnvelopeBook
    from mts1b_riskengine.errors import EnvelopeMissing

    home = mts_home(os.environ)
    template = load_settings(home).store.url_template
    target = template.format(name="riskengine") if template else home / "db" / "riskengine.sqlite"
    store = await Store.open(target, name="riskengine", read_only=True)
    try:
        versions = await EnvelopeBook(store, SystemClock()).history(fund)
    finally:
        await store.close()
    if not versions:
        raise EnvelopeMissing(
            f"fund {fund!r} has no envelope in {target}; add one under `funds` in mts.yaml"
        )
    return list(versions)


@envelope.command()
def update(
    file: Annotated[Path, typer.Argument(help="YAML or JSON file; `-` reads standard input")],
    operator: Annotated[str, typer.Option(help="who signs; looser limits need it")] = "",
    reason: Annotated[str, typer.Option(help="why the limits change")] = "",
    as_json: JsonOption = False,
) -> None:
    """Put the next version of an envelope in force, through the running engine.

    Limits that loosen are signed by an operator; those that tighten need no signature.
    """
    from mts1b_platform.cli import emit

    envelope = _read(file)
    wanted = _signed_envelope(envelope, operator, reason) if operator else envelope
    answer = asyncio.run(_ask(lambda client: client.update_envelope(wanted)))
    text = f"envelope of fund {answer.fund_id} is now version {answer.version}"
    emit(answer.model_dump(mode="json"), as_json, text=text)


def _signed_envelope(envelope: Any, operator: str, reason: str) -> Any:
    """Return the update with the operator's signature.

    :raises EnvelopeUnsigned: when the name does not fit, or the key is not here.
    """
    from mts1b_platform.clock import SystemClock
    from pydantic import ValidationError

    from mts1b_riskengine.errors import EnvelopeUnsigned
    from mts1b_riskengine.signed_envelopes import sign_envelope

    try:
        return sign_envelope(
            _keys(),
            envelope,
            signed_by=f"operator:{operator}",
            reason=reason,
            requested_at=SystemClock().now(),
        )
    except ValidationError as error:
        raise EnvelopeUnsigned(f"{operator!r} is no operator's name") from error


def _keys() -> Any:
    """Return the keys of this machine."""
    from mts1b_platform.config import mts_home
    from mts1b_platform.rng import SystemRng
    from mts1b_platform.signing import KeyRing

    return KeyRing(mts_home(os.environ) / "keys", SystemRng())


def _read(file: Path) -> Any:
    """Return the envelope of a file.

    :raises DataError: when the file holds none.
    """
    import sys

    import yaml
    from mts1b_foundation import RiskEnvelope
    from mts1b_platform.errors import DataError
    from pydantic import ValidationError

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        found = yaml.safe_load(text)
        if isinstance(found, dict):
            found.pop("exit_code", None)  # `show --json` prints it beside the envelope
        return RiskEnvelope.model_validate(found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file} can not be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise DataError(f"{file} holds no envelope: {where}: {first['msg']}") from error


async def _ask(request: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run a request against the running engine.

    :raises RetryLater: when it does not answer.
    """
    from mts1b_platform.errors import RetryLater
    from mts1b_platform.eventbus.connect import connect
    from mts1b_platform.eventbus.port import NoResponders, RequestTimeout

    from mts1b_riskengine.client import RiskEngineClient

    bus = await connect(name="mts-risk", patience_s=2.0)
    try:
        return await request(RiskEngineClient(bus=bus))
    except (NoResponders, RequestTimeout) as error:
        raise RetryLater(f"the risk engine does not answer ({error}); see `mts status`") from error
    finally:
        await bus.close()
