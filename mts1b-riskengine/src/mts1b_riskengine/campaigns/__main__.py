"""``python -m mts1b_riskengine.campaigns interleavings --count N``: exit code 1 on an overshoot."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from mts1b_riskengine.campaigns.interleavings import Campaign, CampaignResult

_CHUNK = 250


def interleavings(count: int, seed: int) -> CampaignResult:
    """Run interleavings in chunks, each on a fresh store; return the sum of what they found."""
    total = CampaignResult()
    for begin in range(seed, seed + count, _CHUNK):
        size = min(_CHUNK, seed + count - begin)
        with tempfile.TemporaryDirectory(prefix="mts-campaign-") as folder:
            part = asyncio.run(Campaign(Path(folder), seed=begin).run(size))
        total.interleavings += part.interleavings
        total.orders += part.orders
        total.counts.update(part.counts)
        total.failures += part.failures
        sys.stderr.write(f"\r{total.interleavings} of {count}")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return total


def main() -> int:
    """Run the campaign that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m mts1b_riskengine.campaigns")
    commands = parser.add_subparsers(dest="campaign", required=True)
    one = commands.add_parser("interleavings", help="concurrent orders against shared caps")
    one.add_argument("--count", type=int, default=1000, help="how many interleavings")
    one.add_argument("--seed", type=int, default=1, help="of the first one")
    given = parser.parse_args()
    result = interleavings(given.count, given.seed)
    sys.stdout.write(result.text() + "\n")
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
