"""``python -m mts1b_riskengine.token_attack --count 10000000 --jobs 2``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from mts1b_riskengine.token_attack.campaign import Report, attack

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign and print its report; 1 when an attack was accepted."""
    parser = argparse.ArgumentParser(prog="python -m mts1b_riskengine.token_attack")
    parser.add_argument("--count", type=int, default=100_000, help="number of attacks")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args(argv)
    chunk = max(min(50_000, options.count), 1)
    chunks = -(-options.count // chunk)
    sizes = [min(chunk, options.count - chunk * index) for index in range(chunks)]
    total = Report()
    with ProcessPoolExecutor(options.jobs) as pool:
        for part in pool.map(_chunk, sizes, range(options.seed, options.seed + chunks)):
            total.add(part)
    print(total)
    return 0 if total.passed else 1


def _chunk(size: int, seed: int) -> Report:
    return attack(size, seed=seed)


if __name__ == "__main__":
    raise SystemExit(main())
