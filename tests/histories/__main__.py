"""
``python -m tests.histories [--histories 500] [--seed 1] [--only 17]``: racing runs in random histories.

Two or three runs of different order deploy, fail, go back and scale; their requests meet faults, their tries are
killed, writes land late, others edit, scale and delete, the operator is down for a while, and a child without a number
of replicas is updated for ever. Whatever a run is told, and whatever the gateway answers, goes to an oracle, see
:mod:`tests.histories.oracle`. Exit code 1 if it found a violation; ``--only`` runs that history again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time

from tests.histories.many import told


def main() -> int:
    """Return 0 when nothing was violated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    began = time.monotonic()
    print(f"seed {given.seed}", flush=True)
    numbers = given.only or list(range(given.histories))
    parts = [(given.seed, numbers[first :: given.processes]) for first in range(given.processes)]
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        found = pool.starmap(told, [part for part in parts if part[1]])
    wrong = [text for _, texts in found for text in texts]
    print("\n\n".join(wrong))
    print(f"runs were told {sum(greens for greens, _ in found)} times that a version serves")
    print(f"{len(wrong)} violations in {len(numbers)} histories, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
