"""``python -m tests.timelines FILE.json [...]``: judge timelines, print each wrong step and the score."""

from __future__ import annotations

import sys

from tests.timelines.runner import run_file


def main(paths: list[str]) -> int:
    """Return 0 when every step is right, 1 when one is not, 2 without a file."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    steps = [step for path in paths for step in run_file(path)]
    for step in steps:
        if not step.right:
            print(step)
    print(f"{sum(step.right for step in steps)} of {len(steps)} steps right")
    return 0 if all(step.right for step in steps) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
