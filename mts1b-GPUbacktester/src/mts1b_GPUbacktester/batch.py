"""Several sweeps from one file, their results in one folder."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from mts1b_GPUbacktester.engines import choose_engine
from mts1b_GPUbacktester.engines.port import check_metrics
from mts1b_GPUbacktester.errors import BadPanel, BadRule, BadSetting, EngineMissing
from mts1b_GPUbacktester.grid import parameter_sets, parse_bytes
from mts1b_GPUbacktester.outputs import require_folder, write_whole
from mts1b_GPUbacktester.panels import panel_from
from mts1b_GPUbacktester.results import SweepResult
from mts1b_GPUbacktester.rules import Rule, sides_of
from mts1b_GPUbacktester.semantics import Settings
from mts1b_GPUbacktester.specification import filter_of, numbers_of, rule_of
from mts1b_GPUbacktester.sweep import DEFAULT_METRICS, check_top, run_sweep

__all__ = ["read_batch", "run_batch"]

_RULE = ("long_when", "short_when", "enter", "leave", "stop", "trailing_stop", "time_exit")
_SETTINGS = (
    "fill", "fees_bps", "slippage_bps", "borrow_bps", "direction", "size", "engine", "metrics",
    "periods_per_year", "memory_budget", "top", "by",
)  # fmt: skip
_OWN = ("name", "panel", "grid", "where")
_TEXTS = ("where", "long_when", "short_when", "enter", "leave", "engine")
_LONGEST_NAME = 200


def read_batch(path: Path) -> list[dict[str, Any]]:
    """Return the sweeps of a YAML, TOML or JSON file, defaults at its top filled in.

    :raises BadSetting: for a file that can not be read, unknown words, or a name given twice.
    """
    data = _read(path)
    sweeps = data.pop("sweeps", None)
    known = isinstance(sweeps, list) and all(isinstance(item, dict) for item in sweeps)
    if not known or not sweeps:
        raise BadSetting(f"{path} has no list 'sweeps'; each needs name, grid and a rule")
    found = [{**data, **item} for item in sweeps]
    names = [item.get("name") for item in found]
    for item in found:
        strangers = sorted(set(item) - {*_RULE, *_SETTINGS, *_OWN})
        if strangers:
            raise BadSetting(
                f"{path}: {', '.join(strangers)} is not known; use {', '.join(_OWN)}, "
                f"{', '.join(_RULE)}, {', '.join(_SETTINGS)}"
            )
        name = item.get("name")
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise BadSetting(f"{path}: name {name!r} must be a word; it names files")
        if len(name) > _LONGEST_NAME:
            raise BadSetting(f"{path}: name {name[:20]}... is too long; it names files")
        if "panel" not in item or not isinstance(item.get("grid"), dict):
            raise BadSetting(f"{path}: sweep {item['name']} needs panel: and grid:")
    if len(set(names)) != len(names):
        raise BadSetting(f"{path} uses a name twice; names are {', '.join(map(str, names))}")
    return found


def _read(path: Path) -> dict[str, Any]:
    suffix = path.suffix.lower()
    try:
        text = path.read_text(encoding="utf-8")
        if suffix == ".toml":
            data = tomllib.loads(text)
        elif suffix == ".json":
            data = json.loads(text)
        elif suffix in (".yaml", ".yml"):
            data = yaml.safe_load(text)
        else:
            raise BadSetting(f"{path} must end in .yaml, .toml or .json")
    except OSError as error:
        raise BadSetting(f"{path} can not be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise BadSetting(f"{path} can not be read: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise BadSetting(f"{path} must hold names and values, with a list 'sweeps'")
    return data


def run_batch(config: Path, output: Path) -> list[SweepResult]:
    """Run every sweep of a file.

    For each: ``<name>.parquet`` the table, ``<name>.sets.parquet`` the mean of each set,
    ``<name>.html`` the report. ``summary.json`` has the best of all. Panels are paths relative to
    the file. All of them are read and checked before the first one runs.

    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    sweeps = [_prepared(item, config.parent) for item in read_batch(config)]
    require_folder(output)
    results, summary = [], {}
    for item in sweeps:
        result = run_sweep(
            panel_from(item.panel), item.rule, grid=item.grid, where=item.keep, **item.options
        )
        result.to_parquet(output / f"{item.name}.parquet")
        write_whole(output / f"{item.name}.sets.parquet", result.by_set.write_parquet)
        if "sharpe" in result.source.metrics:
            result.report(output / f"{item.name}.html")
        summary[item.name] = {
            "n_trials": result.n_trials,
            "engine": result.engine.name,
            "reason": result.engine.reason,
            "seconds": result.timings["run"],
            "best": result.best_params(by=item.by),
        }
        results.append(result)
        text = json.dumps(summary, indent=2, default=str) + "\n"
        write_whole(output / "summary.json", partial(Path.write_text, data=text, encoding="utf-8"))
    return results


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One sweep of a file, ready to run."""

    name: str
    panel: Path
    rule: Rule
    grid: dict[str, Sequence[Any]]
    keep: Callable[[dict[str, Any]], bool] | None
    by: str
    options: dict[str, Any]


def _prepared(item: dict[str, Any], folder: Path) -> _Sweep:
    """Read and check all of a sweep but its prices.

    :raises BadPanel, BadRule, BadSetting, EngineMissing: naming the sweep.
    """
    try:
        _require_texts(item)
        panel = folder / str(item["panel"])
        if not panel.is_file():
            raise BadPanel(f"no file {panel}; check the path")
        grid = {
            name: numbers_of(values) if isinstance(values, str) else _listed(values)
            for name, values in item["grid"].items()
        }
        rule = rule_of(**{name: item[name] for name in _RULE if name in item})
        options = {name: item[name] for name in _SETTINGS if name in item}
        keep, by = filter_of(item.get("where")), _checked(options)
        budget = parse_bytes(options.get("memory_budget", "1GiB"))
        terms = Settings(
            **{one.name: item[one.name] for one in fields(Settings) if one.name in item}
        )
        parameter_sets(rule, grid, keep, size=terms.fraction, budget=budget)
        sides_of(rule, terms.direction)
        choose_engine(item.get("engine", "auto"), 0)
    except (BadPanel, BadRule, BadSetting, EngineMissing) as error:
        raise type(error)(f"sweep {item['name']}: {error}") from None
    return _Sweep(item["name"], panel, rule, grid, keep, by, options)


def _require_texts(item: dict[str, Any]) -> None:
    """Refuse what is no text where one is read.

    :raises BadSetting: naming it.
    """
    for name in _TEXTS:
        if name in item and not isinstance(item[name], str):
            raise BadSetting(f"{name} {item[name]!r} must be a text; put it into quotes")
    metrics = item.get("metrics", [])
    if not isinstance(metrics, (str, list)) or not all(isinstance(one, str) for one in metrics):
        raise BadSetting(f"metrics {metrics!r} must be a list of names")
    strangers = [name for name in item["grid"] if not isinstance(name, str)]
    if strangers:
        raise BadSetting(f"grid: {strangers[0]!r} is no name of a parameter")


def _checked(options: dict[str, Any]) -> str:
    """Check metrics and memory; return the metric that orders the sets."""
    metrics = check_metrics(options.get("metrics", DEFAULT_METRICS))
    parse_bytes(options.get("memory_budget", "1GiB"))
    top = options.get("top")
    by: str = options.get("by", metrics[0] if top is None else "sharpe")
    check_top(top, by, metrics)
    if by not in metrics:
        raise BadSetting(f"by={by!r} is not measured; choose from {', '.join(metrics)}")
    return by


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [values]
