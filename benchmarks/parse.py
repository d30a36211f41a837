"""
The cost of importing this provider for a DAG file and a task's process, compared with similar providers.

Each row is measured in its own processes that have imported ``airflow.sdk`` already (every DAG and every task has),
in alternating order; printed is the median. Only ratios within one run mean anything. A hook is measured twice: when it
is imported, and when it has a client of a cluster as well.

    python benchmarks/parse.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

OPERATORS = "airflow-provider-seldon: operators, sensors, triggers"
PEER_OPERATORS = "cncf.kubernetes: resource operator, Spark sensor"
HOOK = "airflow-provider-seldon: hook"
PEER_HOOK = "cncf.kubernetes: hook"
CLIENT = "airflow-provider-seldon: hook with a client"
PEER_CLIENT = "cncf.kubernetes: hook with a client"
_HOOK_MODULE = "airflow_provider_seldon.hooks.seldon"
_PEER_MODULE = "airflow.providers.cncf.kubernetes.hooks.kubernetes"

#: What is imported; a name after a colon is a hook's class, which then makes a client.
SUBJECTS = {
    OPERATORS: (
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
    PEER_OPERATORS: (
        "airflow.providers.cncf.kubernetes.operators.resource",
        "airflow.providers.cncf.kubernetes.sensors.spark_kubernetes",
    ),
    HOOK: (_HOOK_MODULE,),
    PEER_HOOK: (_PEER_MODULE,),
    CLIENT: (f"{_HOOK_MODULE}:SeldonHook",),
    PEER_CLIENT: (f"{_PEER_MODULE}:KubernetesHook",),
}
PAIRS = ((OPERATORS, PEER_OPERATORS), (HOOK, PEER_HOOK), (CLIENT, PEER_CLIENT))

PROBE = """
import importlib, json, os, resource, sys, time
try:
    from airflow.sdk import DAG, BaseOperator, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.dag import DAG

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()

KUBE_CONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "here",
    "users": [{"name": "me", "user": {"token": "a" * 9}}],
    "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me"}}],
    "clusters": [{"name": "it", "cluster": {"server": "http://127.0.0.1:1"}}],
}
EXTRA = {"kube_config": json.dumps(KUBE_CONFIG)}
os.environ["AIRFLOW_CONN_HERE"] = json.dumps({"conn_type": "kubernetes", "extra": EXTRA})
loaded, memory, start, processor = len(sys.modules), resident(), time.perf_counter(), time.process_time()
for name in sys.argv[1:]:
    module, _, hook = name.partition(":")
    module = importlib.import_module(module)
    if hook:
        getattr(module, hook)("here").api_client
seconds, processor, memory = time.perf_counter() - start, time.process_time() - processor, resident() - memory
heavy = sorted({m.split(".")[0] for m in sys.modules} & {"kubernetes", "kubernetes_asyncio", "pydantic", "aiohttp"})
taken = {"seconds": seconds, "processor": processor, "bytes": memory, "modules": len(sys.modules) - loaded}
print(json.dumps(taken | {"heavy": heavy}))
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
        seconds, processor, memory, modules = (
            statistics.median(float(str(one[kind])) for one in taken)
            for kind in ("seconds", "processor", "bytes", "modules")
        )
        figures[subject] = (processor, memory)
        heavy = ", ".join(taken[-1]["heavy"]) or "-"  # type: ignore[arg-type]
        print(
            f"  {subject:<56} {seconds * 1000:7.0f} ms {processor * 1000:7.0f} ms of processor {memory / 1e6:6.1f} MB "
            f"{modules:6.0f} modules; {heavy}"
        )
    for ours, peer in PAIRS:
        time, memory = (
            theirs / max(own, 1e-9) for own, theirs in zip(figures[ours], figures[peer], strict=True)
        )
        print(f"  {peer} takes {time:.1f} x the processor and {memory:.1f} x the memory of {ours}")


if __name__ == "__main__":
    main()
