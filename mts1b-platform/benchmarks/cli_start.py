"""Time how long ``mts --help`` takes, from the start of the process to its end.

    python mts1b-platform/benchmarks/cli_start.py [--repeats 10] [-- ARGUMENTS OF MTS]

Prints the least, the median and the most in milliseconds. The budget of ``mts --help`` is 300 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def once(arguments: list[str]) -> float:
    """Return the milliseconds of one run."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mts1b_platform.cli", *arguments],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("arguments", nargs="*", default=["--help"])
    options = parser.parse_args()
    once(options.arguments)  # the first run also writes the byte code
    times = sorted(once(options.arguments) for _ in range(options.repeats))
    print(
        f"mts {' '.join(options.arguments)}: least {times[0]:.0f} ms, "
        f"median {statistics.median(times):.0f} ms, most {times[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
