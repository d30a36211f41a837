"""
The cost of 500 baking canaries in a triggerer, compared with a separate sensor for each.

API server, Prometheus and canaries run in their own processes. All steps begin at the same moment, as after a
backfill or a restart, so all looks fall due together. Each look has two metrics. The peer is the usual deferrable
sensor: its own client reads the deployment at each look, and its own session queries each metric; it judges
nothing. Only ratios within one run mean anything.

The writes of a canary are its worker's: two a step, which ``test_a_canary_writes_at_most_twice_for_each_step`` counts.

    python benchmarks/canaries.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import wait_clients as clients  # noqa: E402
from benchmarks.waits import _ask, _read  # noqa: E402

OURS = "this provider's trigger"
PEER = "a sensor each, client per look"
#: Seconds that a step bakes, and between two looks; how many metrics.
BAKE, INTERVAL, METRICS = 12.0, 6.0, 2
LOOKS = round(BAKE / INTERVAL)
ROWS = ((OURS, 500), (PEER, 100))
#: What is promised: seconds that the event loop is blocked at most. Where other processes take the cores, the time for
#: which it computes without a pause is judged.
BLOCKED = 0.05
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "20", "40", "+Inf")


def main() -> int:
    """Print the table; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs=2, metavar=("PART", "ARGUMENTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        return PARTS[given.part[0]](json.loads(given.part[1]))
    results = []
    server = [sys.executable, str(HERE / "wait_server.py")]
    with (
        subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as api,
        part("prometheus", {}) as prometheus,
    ):
        urls = {"url": _read(api.stdout)["url"], "prometheus": _read(prometheus.stdout)["url"]}
        for subject, number in ROWS:
            results.append(measured(api, prometheus, urls, subject, number))
            print(line(subject, number, results[-1]), flush=True)
        api.terminate()
        prometheus.terminate()
    ours, peer = results
    print(
        f"against {PEER}: {each(peer, 'api', PEER) / max(each(ours, 'api', OURS), 1e-9):.0f} times fewer requests to "
        f"the API server for each canary, {peer['processor'] / 100 / (ours['processor'] / 500):.1f} times less "
        "processor"
    )
    missed = misses(ours)
    print("\n".join(missed) or "all goals are met")
    return 1 if missed else 0


def part(name: str, arguments: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a part of this benchmark in its own process."""
    command = [sys.executable, str(Path(__file__)), "--part", name, json.dumps(arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(
    api: subprocess.Popen[str],
    prometheus: subprocess.Popen[str],
    urls: dict[str, str],
    subject: str,
    number: int,
) -> dict[str, Any]:
    """Return the measurements of one row."""
    _ask(api, {"populate": number})
    with part("canaries", {**urls, "subject": subject, "number": number}) as process:
        _read(process.stdout)
        _ask(api, {"forget": True})
        _ask(prometheus, {"forget": True})
        result = _ask(process, {"go": True})
    counts = _ask(api, {"count": True})["counts"]
    return result | {"api": counts, "queries": _ask(prometheus, {"count": True})["queries"]}


def line(subject: str, number: int, result: dict[str, Any]) -> str:
    """Return a row as text."""
    verbs = {
        verb: sum(n for key, n in result["api"].items() if key.startswith(f"{verb} "))
        for verb in ("get", "list", "watch", "patch", "create", "update")
    }
    told = ", ".join(f"{verb.upper()} {count}" for verb, count in verbs.items() if count) or "none"
    return "\n    ".join(
        [
            f"{subject}, {number} canaries, {LOOKS} looks at {METRICS} metrics each, all due at the same time",
            f"event loop late by {late(result['baking'])} at most; while they begin by "
            f"{late(result['beginning'])}",
            f"requests to the API server: {told}; queries {result['queries']}, for one metric and look "
            f"{result['queries'] / number / LOOKS / METRICS:.2f}; {result['processor']:.1f} s of processor; "
            f"the last look was done after {result['behind']:.1f} s",
        ]
    )


def late(beat: dict[str, float]) -> str:
    """Return a heartbeat as text."""
    return f"{beat['late'] * 1000:.0f} ms (computing for {beat['computing'] * 1000:.0f} ms without a pause)"


def each(result: dict[str, Any], what: str, subject: str) -> float:
    """Return a count for each canary."""
    return sum(result[what].values()) / dict(ROWS)[subject]


def misses(ours: dict[str, Any]) -> list[str]:
    """Return what was promised and is not so."""
    number, cores = dict(ROWS)[OURS], os.cpu_count() or 1
    measure = "late" if ours["load"] < cores / 2 else "computing"
    collections = {
        "list seldondeployments",
        "watch seldondeployments",
        "list deployments",
        "watch deployments",
    }
    checks = [
        *(
            (ours[phase][measure] > BLOCKED, f"the loop was late by {late(ours[phase])} ({phase})")
            for phase in ("beginning", "baking")
        ),
        (ours["passed"] != number, f"{ours['passed']} steps were concluded"),
        (ours["queries"] != number * LOOKS * METRICS, f"{ours['queries']} queries"),
        (set(ours["api"]) != collections or set(ours["api"].values()) != {1}, f"requests: {ours['api']}"),
    ]
    return [f"MISSED: {text}" for bad, text in checks if bad]


class Heartbeat:
    """Notes by how much the event loop is late at most, and for how long it computes without a pause."""

    def __init__(self) -> None:
        self.late = self.computing = 0.0

    async def beat(self) -> None:
        """Continue until cancelled."""
        while True:
            due, computed = time.perf_counter() + clients.HEARTBEAT, time.thread_time()
            await asyncio.sleep(clients.HEARTBEAT)
            self.late = max(self.late, time.perf_counter() - due)
            self.computing = max(self.computing, time.thread_time() - computed)

    def take(self) -> dict[str, float]:
        """Return both in seconds, and begin anew."""
        taken = {"late": self.late, "computing": self.computing}
        self.late = self.computing = 0.0
        return taken


def run_prometheus(_: dict[str, Any]) -> int:
    """Serve what a Prometheus would answer, until the input ends."""
    asyncio.run(_serve())
    return 0


async def _serve() -> None:
    from aiohttp import web

    asked = [0]

    async def query(request: web.Request) -> web.Response:
        asked[0] += 1
        expression = request.query.get("query") or parse_qs(await request.text())["query"][0]
        now = float(request.query.get("time", time.time()))
        return web.json_response({"status": "success", "data": _vector(expression, now)})

    app = web.Application()
    app.router.add_route("*", "/api/v1/query", query)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    while text := await asyncio.to_thread(sys.stdin.readline):
        told = {"queries": asked[0]}
        if "forget" in json.loads(text):
            asked[0] = 0
        print(json.dumps(told), flush=True)
    await runner.cleanup()


def _vector(expression: str, now: float) -> dict[str, Any]:
    """Return both sides' answer: equal, and good."""
    if "_bucket" in expression:
        labels = [{"le": bound} for bound in BOUNDS]
    else:
        labels = [{"counted": "requests"}, {"counted": "errors"}]
    result = [
        {"metric": {"predictor_name": side, **own}, "value": [now, "0" if own.get("counted") == "errors" else "900"]}
        for side in ("canary", "default")
        for own in labels
    ]  # fmt: skip
    return {"resultType": "vector", "result": result}


def run_canaries(given: dict[str, Any]) -> int:
    """Let many steps bake in one event loop."""
    clients._RESULTS = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    clients.tell(asyncio.run(_bake(given)))
    os._exit(0)


async def _bake(given: dict[str, Any]) -> dict[str, Any]:
    number = given["number"]
    one_of = SUBJECTS[given["subject"]](given)
    # Imports and the like are the process's; one canary that is given up pays for them.
    first = asyncio.create_task(one_of("model-00000", time.time() - INTERVAL))
    await asyncio.sleep(3.0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    clients.tell({"warm": True})
    await asyncio.to_thread(sys.stdin.readline)
    heart, load = Heartbeat(), os.getloadavg()[0]
    beat = asyncio.create_task(heart.beat())
    await asyncio.sleep(0.1)
    heart.take()
    since, processor = time.time(), time.process_time()
    running = []
    for index in range(number):
        running.append(asyncio.create_task(one_of(f"model-{index:05d}", since)))
        if index % 50 == 49:  # as many as a triggerer starts at a time
            await asyncio.sleep(0.01)
    await asyncio.sleep(INTERVAL * 0.8)
    beginning = heart.take()
    passed = await asyncio.gather(*running)
    baking = heart.take()
    beat.cancel()
    return {
        "beginning": beginning,
        "baking": baking,
        "passed": sum(passed),
        "load": load,
        "processor": time.process_time() - processor,
        "behind": time.time() - since - BAKE,
    }


def ours(given: dict[str, Any]) -> Callable[[str, float], Any]:
    """This provider's trigger, as the triggerer runs it."""
    from airflow_provider_seldon.analysis import Analysis, ErrorRatio, Latency
    from airflow_provider_seldon.core.canary.looks import Plan
    from airflow_provider_seldon.core.canary.steps import Step
    from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger

    _connections(given)
    analysis = Analysis(metrics=[ErrorRatio(at_most=0.01, at_most_ratio=1.2), Latency(at_most_ratio=1.3)])

    async def canary(name: str, since: float) -> bool:
        plan = Plan(analysis=analysis, step=Step(weight=5, bake=BAKE), since=since, interval=INTERVAL)
        sides = {"deployment": name, "candidate": "canary", "baseline": "default", "namespace": "models"}
        until = since + 600.0
        looks = {"plan": plan.to_json(), "sides": sides, "prometheus_conn_id": "prometheus", "until": until}
        stored = {"seldon_conn_id": clients.CONNECTION, "namespace": clients.NAMESPACE, "name": name}
        stored |= {"until": since + INTERVAL, "deadline": until, "handoff": {"canary": name, "looks": looks}}
        event = await anext(SeldonCanaryTrigger(**json.loads(json.dumps(stored))).run())
        looked = event.payload["looked"]
        return bool(looked["concluded"]) and looked["verdict"]["grade"] == "pass"

    return canary


def sensor_each(given: dict[str, Any]) -> Callable[[str, float], Any]:
    """A deferrable sensor for each canary, which reads the deployment with its own client and sends its own queries."""
    import aiohttp
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
    from kubernetes_asyncio.client import CustomObjectsApi

    async def canary(name: str, since: float) -> bool:
        hook = AsyncKubernetesHook(conn_id=None, config_dict=clients.kubeconfig(given["url"]))
        for look in range(1, LOOKS + 1):
            await asyncio.sleep(max(0.0, since + look * INTERVAL - time.time()))
            async with hook.get_conn() as connection:
                await CustomObjectsApi(connection).get_namespaced_custom_object(
                    "machinelearning.seldon.io", "v1", clients.NAMESPACE, "seldondeployments", name
                )
            for series in ("_count", "_bucket"):
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"{given['prometheus']}/api/v1/query", params={"query": series}) as answer,
                ):
                    await answer.json()
        return True

    return canary


def _connections(given: dict[str, Any]) -> None:
    config = json.dumps(clients.kubeconfig(given["url"]))
    extra = {"namespace": clients.NAMESPACE, "kube_config": config}
    os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = json.dumps({"conn_type": "seldon", "extra": extra})
    os.environ["AIRFLOW_CONN_PROMETHEUS"] = json.dumps({"conn_type": "http", "host": given["prometheus"]})


SUBJECTS = {OURS: ours, PEER: sensor_each}
PARTS = {"prometheus": run_prometheus, "canaries": run_canaries}

if __name__ == "__main__":
    sys.exit(main())
