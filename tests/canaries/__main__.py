"""
``python -m tests.canaries [--canaries 200] [--seed 1] [--only 17]``: random canaries, judged by a real Prometheus.

Good candidates and bad ones, with and without traffic; scrapes that fail, a Prometheus and an operator that are down
for a while, crashes of either side, runs that compete, faults of requests, and tries that are killed. How the versions
behave, what the gateway answers and what the runs are told goes to an oracle, see :mod:`tests.canaries.oracle`. Exit
code 1 if it found a wrong end; ``--only`` runs that canary again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections import Counter

from tests.canaries.many import told
from tests.prometheus import BINARY


def main() -> int:
    """Return 0 when no canary came to a wrong end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--canaries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if BINARY is None:
        print("Prometheus is not installed (Debian: apt-get install prometheus)", file=sys.stderr)
        return 2
    began = time.monotonic()
    print(f"seed {given.seed}", flush=True)
    numbers = given.only or list(range(given.canaries))
    # With Istio's routes and without them; a canary is repeated with those that it had.
    parts = [
        (given.seed, part, istio)
        for istio in (False, True)
        for part in _parts([one for one in numbers if one % 2 == istio], (given.processes + 1) // 2)
    ]
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        found = pool.starmap(told, parts)
    wrong = [text for _, texts in found for text in texts]
    ends = sum((counted for counted, _ in found), Counter[str]())
    print("\n\n".join(wrong))
    print(", ".join(f"{count} {how}" for how, count in sorted(ends.items())))
    print(f"{len(wrong)} wrong ends of {len(numbers)} canaries, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def _parts(numbers: list[int], count: int) -> list[list[int]]:
    return [part for first in range(count) if (part := numbers[first::count])]


if __name__ == "__main__":
    sys.exit(main())
