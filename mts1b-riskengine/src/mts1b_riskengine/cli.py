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
    """Print every gate: what it asks, its codes, its inputs, what missing input means."""
    from dataclasses import asdict

    from mts1b_platform.cli import emit

    from mts1b_riskengine.gates import GATE_TABLE

    rows = [asdict(card) | {"codes": [str(code) for code in card.codes]} for card in GATE_TABLE]
    text = "\n\n".join(_block(row) for row in rows)
    emit(rows, as_json, text=text)


def _block(row: dict[str, Any]) -> str:
    lines = [f"{row['gate']}: {row['asks']}"]
    for key in ("codes", "inputs", "on_failure", "source"):
        value = ", ".join(row[key]) if isinstance(row[key], list) else row[key]
        lines.append(f"  {key.replace('_', ' '):<11}{value}")
    return "\n".join(lines)


@envelope.command()
def show(
    fund: Annotated[str, typer.Argument(help="fund id")],
    history: Annotated[bool, typer.Option("--history", help="every version")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the envelope in force, from the engine's store (the engine need not run)."""
    from mts1b_platform.cli import emit

    versions = asyncio.run(_stored(fund))
    shown = [item.model_dump(mode="json") for item in (versions if history else versions[-1:])]
    emit(shown if history else shown[0], as_json, text="\n\n".join(_lines(item) for item in shown))


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in values.items())


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
    as_json: JsonOption = False,
) -> None:
    """Put the next version of an envelope in force, through the running engine."""
    from mts1b_platform.cli import emit

    wanted = _read(file)
    answer = asyncio.run(_ask(lambda client: client.update_envelope(wanted)))
    text = f"envelope of fund {answer.fund_id} is now version {answer.version}"
    emit(answer.model_dump(mode="json"), as_json, text=text)


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
        return RiskEnvelope.model_validate(yaml.safe_load(text))
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

    bus = await connect(name="mts-risk")
    try:
        return await request(RiskEngineClient(bus=bus))
    except (NoResponders, RequestTimeout) as error:
        raise RetryLater(f"the risk engine does not answer ({error}); see `mts status`") from error
    finally:
        await bus.close()
