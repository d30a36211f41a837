"""
The cost of a thousand waits for a deployment, compared with similar providers.

Server and waits run in their own processes; all rows come from one run on the same server. Latency is from the
moment the deployment serves (on the server) to the moment its wait lets go. The peers have no way to tell the new
version from the old one: they are given the benefit of the doubt, and are told by any change at all. Only ratios within
one run mean anything.

    python benchmarks/waits.py [--quick | --busy]

``--busy`` keeps every core busy with other processes meanwhile, as many as there are cores, and measures 5,000 waits.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
OURS = "shared watch (this provider's trigger)"
PEER_CLIENT = "client per poll, 2 s (cncf.kubernetes)"
PEER_READS = "two reads a second (the seed)"

#: subject, waits, seconds over which they are released, whether all streams are dropped at that moment
ROWS = [
    (OURS, 1000, 20.0, False),
    (OURS, 1000, 0.5, True),
    (OURS, 5000, 30.0, False),
    (OURS, 100, 20.0, False),
    (PEER_CLIENT, 100, 20.0, False),
    (PEER_READS, 100, 20.0, False),
    (PEER_READS, 1000, 20.0, False),
]
QUICK = [
    (OURS, 1000, 10.0, False),
    (OURS, 1000, 0.5, True),
    (PEER_CLIENT, 50, 10.0, False),
    (PEER_READS, 100, 10.0, False),
]
BUSY = [(OURS, 5000, 30.0, False)]

#: what is promised: waits, dropped -> p99 seconds, lag seconds, bytes per wait
GOALS = {
    (1000, False): (0.25, 0.05, 25_000),
    (1000, True): (2.0, None, None),
    (5000, False): (0.5, 0.05, 25_000),
}


def main() -> int:
    """Print the table; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rows")
    parser.add_argument("--busy", action="store_true", help="5,000 waits while every core is busy elsewhere")
    given = parser.parse_args()
    rows = BUSY if given.busy else QUICK if given.quick else ROWS
    results = []
    server_command = [sys.executable, str(HERE / "wait_server.py")]
    with (
        subprocess.Popen(server_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        load(os.cpu_count() or 1 if given.busy else 0),
    ):
        url = _read(server.stdout)["url"]
        for row in rows:
            results.append((row, measure(server, url, *row)))
            print(_line(row, results[-1][1]), flush=True)
        server.terminate()
    print("\nGET = reads of one object; LIST and WATCH are of SeldonDeployments + Deployments (+ pods)")
    _compare(results)
    missed = [text for row, result in results for text in _missed(row, result, busy=given.busy)]
    print("\n".join(missed) or "all goals are met")
    return 1 if missed else 0


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep so many cores busy with processes of the same priority."""
    if processes:
        print(f"{processes} other processes compute without a pause")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def measure(
    server: subprocess.Popen[str], url: str, subject: str, number: int, seconds: float, drop: bool
) -> dict[str, Any]:
    """Return the measurements of one row."""
    _ask(server, {"populate": number})
    command = [sys.executable, "-m", "benchmarks.wait_clients", subject, url, str(number)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    ) as client:
        _read(client.stdout)
        _ask(server, {"forget": True})
        _ask(client, {"go": True})
        released = _ask(server, {"release": seconds, "drop": drop})["released"]
        result = _read(client.stdout)
    latency = sorted(result["ended"][name] - released[name] for name in released)
    counts = _ask(server, {"count": True})["counts"]
    return result | {
        "p50": statistics.median(latency),
        "p99": latency[int(len(latency) * 0.99) - 1] if len(latency) > 1 else latency[0],
        "counts": counts,
        "waits": number,
        "requests_per_wait_minute": sum(counts.values()) / number / ((seconds + 10.0) / 60.0),
    }


def _line(row: tuple[str, int, float, bool], result: dict[str, Any]) -> str:
    subject, number, seconds, drop = row
    counts = result["counts"]
    verbs = {
        verb: sum(n for key, n in counts.items() if key.startswith(f"{verb} "))
        for verb in ("get", "list", "watch")
    }
    lines = [
        f"{subject}, {number} waits, released over {seconds:g} s{', all streams dropped' if drop else ''}",
        f"release p50 {result['p50']:.3f} s, p99 {result['p99']:.3f} s",
        f"event loop late by {_late(result['releasing'])} at most",
        f"while the waits begin by {_late(result['beginning'])}",
        f"{result['memory'] / 1000:.1f} kB per wait; GET {verbs['get']}, LIST {verbs['list']}, WATCH {verbs['watch']}; "
        f"{result['processor']:.1f} s of processor",
    ]
    return "\n    ".join(lines)


def _late(beat: dict[str, float]) -> str:
    return f"{beat['late'] * 1000:.0f} ms (Python's collector alone: {beat['collector'] * 1000:.0f} ms)"


def _compare(results: list[tuple[tuple[str, int, float, bool], dict[str, Any]]]) -> None:
    """Print the ratios to each peer at the largest number of waits that both have."""
    mine = {row[1]: result for row, result in results if row[0] == OURS and not row[3]}
    for row, result in results:
        own = mine.get(row[1]) or mine[min(mine)]
        if row[0] == OURS:
            continue
        ratios = [
            f"release p99 {result['p99'] / own['p99']:.0f} times as fast",
            f"{result['requests_per_wait_minute'] / own['requests_per_wait_minute']:.0f} times fewer requests per wait",
            f"event loop late by {result['releasing']['late'] / own['releasing']['late']:.1f} times less",
            f"{result['memory'] / max(own['memory'], 1.0):.1f} times less memory per wait",
        ]
        print(f"against {row[0]}, {row[1]} waits (ours: {own['waits']}): {', '.join(ratios)}")


def _missed(row: tuple[str, int, float, bool], result: dict[str, Any], *, busy: bool) -> list[str]:
    subject, number, _, drop = row
    if subject != OURS or (number, drop) not in GOALS:
        return []
    latency, lag, memory = GOALS[number, drop]
    if busy:
        lag = None  # the scheduler of the operating system decides
    counts = result["counts"]
    lists = [counts.get(f"list {kind}", 0) for kind in ("seldondeployments", "deployments")]
    checks = [
        (result["p99"] > latency, f"p99 is {result['p99']:.3f} s, not {latency} s"),
        (
            lag is not None and result["releasing"]["late"] > lag,
            f"the loop was late by {_late(result['releasing'])}",
        ),
        (
            lag is not None and result["beginning"]["late"] > lag,
            f"the loop was late by {_late(result['beginning'])} while the waits began",
        ),
        (memory is not None and result["memory"] > memory, f"{result['memory']:.0f} bytes per wait"),
        (lists != [1, 1], f"LISTs: {lists}"),
    ]
    return [
        f"MISSED with {number} waits{' after a drop' if drop else ''}: {text}" for bad, text in checks if bad
    ]


def _ask(process: subprocess.Popen[str], command: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(json.dumps(command) + "\n")
    process.stdin.flush()
    return _read(process.stdout)


def _read(stream: IO[str] | None) -> dict[str, Any]:
    assert stream is not None
    while line := stream.readline():
        if line.startswith("{"):
            data: dict[str, Any] = json.loads(line)
            return data
    raise SystemExit("a process ended without a result; see its message above")


if __name__ == "__main__":
    sys.exit(main())
