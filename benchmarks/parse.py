"""
What a DAG file pays for importing this provider, beside what it pays for the nearest peers.

Each row is measured in processes of its own that have imported ``airflow.sdk`` already (every DAG has), in
alternating order; printed is the median. Only ratios within one run mean anything.

    python benchmarks/parse.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

SUBJECTS = {
    "airflow-provider-seldon: operators, sensors, triggers": (
        "airflow_provider_seldon.assets",
        "airflow_provider_seldon.decisions",
        "airflow_provider_seldon.operators.apply",
        "airflow_provider_seldon.operators.custom",
        "airflow_provider_seldon.operators.delete",
        "airflow_provider_seldon.operators.deploy",
        "airflow_provider_seldon.operators.predict",
        "airflow_provider_seldon.operators.rollback",
        "airflow_provider_seldon.operators.scale",
        "airflow_provider_seldon.operators.stage",
        "airflow_provider_seldon.sensors.deployment",
        "airflow_provider_seldon.triggers.deployment",
        "airflow_provider_seldon.triggers.event",
    ),
    "cncf.kubernetes: resource operator, Spark sensor": (
        "airflow.providers.cncf.kubernetes.operators.resource",
        "airflow.providers.cncf.kubernetes.sensors.spark_kubernetes",
    ),
}

PROBE = """
import importlib, json, resource, sys, time
try:
    from airflow.sdk import DAG, BaseOperator, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.dag import DAG

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()

memory, start = resident(), time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
seconds = time.perf_counter() - start
heavy = sorted({m.split(".")[0] for m in sys.modules} & {"kubernetes", "kubernetes_asyncio", "pydantic", "aiohttp"})
print(json.dumps({"seconds": seconds, "bytes": resident() - memory, "heavy": heavy}))
"""


def measure(modules: tuple[str, ...]) -> dict[str, object]:
    """Import the modules in a fresh process and return what it cost."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, *modules], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    samples: dict[str, list[dict[str, object]]] = {subject: [] for subject in SUBJECTS}
    for turn in range(repeats):
        order = list(SUBJECTS) if turn % 2 else list(reversed(SUBJECTS))
        for subject in order:
            samples[subject].append(measure(SUBJECTS[subject]))
    print(f"Import cost on top of airflow.sdk, median of {repeats} fresh processes")
    figures = {}
    for subject, taken in samples.items():
        seconds = statistics.median(float(str(one["seconds"])) for one in taken)
        megabytes = statistics.median(float(str(one["bytes"])) for one in taken) / 1e6
        figures[subject] = (seconds, megabytes)
        heavy = ", ".join(taken[-1]["heavy"]) or "-"  # type: ignore[arg-type]
        print(f"  {subject:<56} {seconds * 1000:8.1f} ms {megabytes:8.1f} MB   imports: {heavy}")
    (ours, ours_memory), (peer, peer_memory) = figures.values()
    print(f"  ratio: {peer / ours:.0f} x the time, {peer_memory / max(ours_memory, 0.1):.0f} x the memory")


if __name__ == "__main__":
    main()
