"""``mts marketdata``: the sources, and what a replay would play."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Sources that give prices.")

_Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command()
def sources(as_json: _Json = False) -> None:
    """List the sources of prices."""
    from mts1b_platform.cli import emit

    from mts1b_marketdata.registry import BUILT_IN, known_sources

    rows = {name: BUILT_IN.get(name, "a plugin") for name in known_sources()}
    emit(rows, as_json)


@app.command("replay-info")
def replay_info(as_json: _Json = False) -> None:
    """Show the tape that the settings name: proven against its manifest, then counted."""
    import os

    from mts1b_platform.cli import emit
    from mts1b_platform.config import load_settings, mts_home

    from mts1b_marketdata.replay import ReplayFeed

    home = mts_home(os.environ)
    feed = ReplayFeed.from_settings(home, load_settings(home).replay)
    facts = {
        "dataset": feed.dataset.name,
        "version": feed.dataset.version,
        "sha256": feed.dataset.sha256,
        "interval": feed.dataset.interval,
        "symbols": list(feed.symbols),
        "ticks": feed.total,
        "first": feed.as_of(0).isoformat(),
        "last": feed.as_of(feed.total - 1).isoformat(),
        "run_id": feed.run_id,
    }
    emit(facts, as_json)
