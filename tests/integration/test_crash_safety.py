"""
A task may be killed, and a request may go wrong, at any point: a retry always ends in the same state.

Every case has a namespace of its own: the previous version is deployed, a probe asks it for predictions all the time, a
task is started in its own process, and the API server kills that process when its k-th request comes in, before
or after handling it. Then the task is run again, as Airflow would. The same with the k-th request answered wrongly,
or not at all, and with each kind of request that a wait sends. Staging sends no requests: it is killed at its k-th
change of the storage.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.transport import Transport
from airflow_provider_seldon.kube.watch import wait
from airflow_provider_seldon.kube.watch.reflector import Tuning
from airflow_provider_seldon.local.faults import Fault
from tests.integration import staging_process, task_process
from tests.integration.crash_cases import (
    MINIO,
    SCENARIOS,
    THREADS,
    Case,
    Cluster,
    Scenario,
    Strike,
    WaitStrike,
    in_parallel,
)
from tests.integration.staging_process import CrashPoint
from tests.integration.test_deploy_operator import deploy

#: ``make crash`` tries everything with everything, which takes long; ``make test`` a part that tells much.
EVERYTHING = bool(os.environ.get("SELDON_CRASH_EVERYTHING"))


#: Hundreds of rollouts, of which each takes a real pod's time, from a storage that is made up.
FAST_PODS = pytest.mark.simulated_pods("hundreds of rollouts")


@pytest.fixture
def cluster(local_seldon: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", MINIO)
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(storage_conn_id="minio")
    )
    monkeypatch.setattr(wait, "PODS_INTERVAL", task_process.PODS_INTERVAL)
    cluster = Cluster(local_seldon)
    monkeypatch.setattr(local_seldon.faults, "take", cluster.take)
    return cluster


def killed_at(cluster: Cluster, scenario: Scenario, k: int, *, moment: str, ended: list[int]) -> list[str]:
    case = Case(cluster, scenario)
    with case.probed() as probe:
        known: list[int] = []

        def kill() -> Fault:
            while not known:  # it was faster with its request than this thread with noting its number
                time.sleep(0.001)
            if moment == "before":
                os.kill(known[0], signal.SIGKILL)
                return Fault(drop="before")
            # The request is on its way; it is handled although nobody waits for the answer any more.
            threading.Timer(0.02, os.kill, (known[0], signal.SIGKILL)).start()
            return Fault(delay=0.4, drop="after")

        strike = cluster.strikes[case.namespace] = Strike(k, kill)
        process = case.start()
        known.append(process.pid)
        process.join(timeout=60)
        del cluster.strikes[case.namespace]
        if strike.done:
            # The fork server itself says 255 when the end of a process came before it could note how.
            expected = {-signal.SIGKILL, 255}
        else:
            ended.append(k)
            expected = {task_process.FAILED_AS_EXPECTED if scenario.fails else 0}
        wrong = [] if process.exitcode in expected else [f"the process ended with {process.exitcode}"]
        case.attempt(2)
        wrong += case.problems()
    wrong += [f"failed prediction: {one}" for one in probe.failed]
    case.clean_up()
    return [f"killed {moment} request {k}: {one}" for one in wrong]


KILLED = (
    [(name, moment) for name in SCENARIOS for moment in ("before", "after")]
    if EVERYTHING
    else [("first deploy", "after"), ("update", "before"), ("deletion", "after")]
)


@FAST_PODS
@pytest.mark.parametrize(("scenario", "moment"), KILLED)
def test_a_task_that_is_killed_at_any_request_and_retried_ends_in_the_same_state(
    cluster: Cluster, scenario: str, moment: str
) -> None:
    ended: list[int] = []
    problems: list[str] = []
    first = 1
    while not ended:
        kill = partial(killed_at, cluster, SCENARIOS[scenario], moment=moment, ended=ended)
        problems += in_parallel([partial(kill, k) for k in range(first, first + THREADS)])
        first += THREADS
    assert problems == []
    assert min(ended) > 1


@FAST_PODS
@pytest.mark.skipif(EVERYTHING, reason="make crash kills it at every request")
def test_a_canary_that_is_killed_in_its_midst_and_retried_is_promoted(cluster: Cluster) -> None:
    ended: list[int] = []
    kill = partial(killed_at, cluster, SCENARIOS["canary"], moment="after", ended=ended)
    assert in_parallel([partial(kill, k) for k in (10, 18)]) == []
    assert ended == []


FAULTS: dict[str, Callable[[], Fault]] = {
    "409": lambda: Fault(status=409),
    "429": lambda: Fault(status=429),
    "500": lambda: Fault(status=500),
    "503": lambda: Fault(status=503),
    "reset before": lambda: Fault(drop="before"),
    "reset after": lambda: Fault(drop="after"),
    "stall": lambda: Fault(stall=30),
}
#: To the client, 429 and 503 are like 500, and a reset before the server has seen the request is like one after.
TYPICAL = tuple(FAULTS) if EVERYTHING else ("409", "500", "reset after", "stall")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A server that stalls is given up after half a second instead of half a minute, or more than one.

    On a machine that is busy every server is slow, so it gets more there.
    """
    queue = os.getloadavg()[0] / (os.cpu_count() or 1)
    seconds = min(5.0, 0.5 * max(1.0, queue))
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "timeout", seconds)
    for patience in ("idle", "idle_list"):
        monkeypatch.setitem(Tuning.__init__.__kwdefaults__, patience, seconds)


def struck(
    cluster: Cluster,
    scenario: Scenario,
    strike: Strike | WaitStrike,
    name: str,
    *,
    ended: list[str] | None = None,
) -> list[str]:
    """What is wrong after a task met with a fault, and was tried again; ``ended`` notes that it met none."""
    case = Case(cluster, scenario)
    with case.probed() as probe:
        cluster.strikes[case.namespace] = strike
        case.attempt(1)
        del cluster.strikes[case.namespace]
        case.attempt(2)
        wrong = case.problems()
    if not strike.done:
        if ended is None:
            wrong.append("there was no such request")
        else:
            ended.append(name)
    wrong += [f"failed prediction: {one}" for one in probe.failed]
    case.clean_up()
    return [f"{name}: {one}" for one in wrong]


@FAST_PODS
@pytest.mark.parametrize("scenario", SCENARIOS if EVERYTHING else ("update",))
@pytest.mark.usefixtures("impatient")
def test_a_request_that_goes_wrong_in_any_way_changes_nothing_about_the_end(
    cluster: Cluster, scenario: str
) -> None:
    case = SCENARIOS[scenario]
    problems: list[str] = []
    k, ended = 0, list[str]()
    while not ended:
        k += 1
        strikes = {f"{name} to request {k}": Strike(k, FAULTS[name], lists=case.lists) for name in TYPICAL}
        problems += in_parallel(
            [partial(struck, cluster, case, one, name, ended=ended) for name, one in strikes.items()]
        )
    assert problems == []
    assert k > 1


@FAST_PODS
@pytest.mark.skipif(not EVERYTHING, reason="takes half a minute for each request; make crash does it")
@pytest.mark.parametrize("scenario", ["first deploy", "update", "manifest"])
def test_a_stall_of_half_a_minute_changes_nothing_about_the_end(cluster: Cluster, scenario: str) -> None:
    """With the time limits that users have, at every request at once, those of the wait included."""
    name, arguments = SCENARIOS[scenario].task
    patient = {"task": (name, {**arguments, "timeout": 300})}
    case = Scenario(**{**vars(SCENARIOS[scenario]), **patient})
    ended: list[str] = []
    strikes: dict[str, Strike | WaitStrike] = {
        f"request {k}": Strike(k, FAULTS["stall"], lists=case.lists) for k in range(1, 8)
    }
    strikes |= {
        f"{verb} {kind}": WaitStrike(verb, kind, FAULTS["stall"], case.lists) for verb, kind in OF_THE_WAIT
    }
    problems = in_parallel(
        [partial(struck, cluster, case, one, name, ended=ended) for name, one in strikes.items()],
        threads=len(strikes),
    )
    assert problems == []
    assert 1 <= len(ended) < 6


OF_THE_WAIT = [
    (verb, resource) for verb in ("list", "watch") for resource in ("seldondeployments", "deployments")
]


@FAST_PODS
@pytest.mark.parametrize(
    "scenario", ["update", "deferred update", "failing update"] if EVERYTHING else ["deferred update"]
)
@pytest.mark.usefixtures("impatient")
def test_a_list_or_watch_of_the_wait_that_goes_wrong_changes_nothing_about_the_end(
    cluster: Cluster, scenario: str
) -> None:
    case = SCENARIOS[scenario]
    strikes = {
        f"{fault} to {verb} {resource}": WaitStrike(verb, resource, FAULTS[fault], case.lists)
        for verb, resource in OF_THE_WAIT
        for fault in TYPICAL
    }
    assert in_parallel([partial(struck, cluster, case, one, name) for name, one in strikes.items()]) == []


#: Content of the three models: one is served, one is old, and one is being staged when the worker dies.
SERVED, OLD, NEW = (
    {"model.joblib": f"a {age} model", "labels.txt": "abc"} for age in ("served", "old", "new")
)


class Staging:
    """A target with copies in it, again and again."""

    def __init__(self, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind = kind
        self.folder = folder
        known, store = staging_process.storage(kind, folder, CrashPoint())
        monkeypatch.setattr(known, "fs", store)
        for name, files in (("served", SERVED), ("old", OLD), ("new", NEW)):
            for file, text in files.items():
                (folder / name).mkdir(exist_ok=True)
                (folder / name / file).write_text(text)
        self.digests = {name: self.stage("template", name)["digest"] for name in ("old", "served")}

    def arguments(self, case: str, model: str) -> dict[str, Any]:
        uri = self.folder / "objects" / case if self.kind == "file" else f"/{case}"
        source = str(self.folder / model)
        return {"source": source, "target": f"{self.kind}://{uri}", "implementation": "SKLEARN_SERVER"}

    def stage(self, case: str, model: str, **more: Any) -> dict[str, Any]:
        return staging_process.run({**self.arguments(case, model), **more})

    def files(self, case: str) -> dict[str, tuple[str, int]]:
        """Path -> content and time of the last change, of what is below a target."""
        root = self.folder / "objects" / case
        return {
            str(path.relative_to(root)): (path.read_text(), path.stat().st_mtime_ns)
            for path in root.rglob("*")
            if path.is_file()
        }

    def killed_at(self, k: int, *, amidst: bool, again: bool, ended: list[int]) -> list[str]:
        case = f"{k}-{amidst}-{again}"
        template, place = self.folder / "objects" / "template", self.folder / "objects" / case
        shutil.copytree(template, place)
        if again:
            self.stage(case, "new")
        before = self.files(case)
        arguments = self.arguments(case, "new")
        process = staging_process.start(
            self.kind, self.folder, CrashPoint(k, amidst), {**arguments, "keep": 1}
        )
        process.join(timeout=60)
        if process.exitcode == 0:
            ended.append(k)
        between = self.files(case)
        staged = self.stage(case, "new", keep=1)
        return [
            f"killed {'amidst' if amidst else 'before'} change {k}: {one}"
            for one in self._wrong(before, between, self.files(case), staged["digest"])
        ]

    def _wrong(self, before: Any, between: Any, after: Any, digest: str) -> Iterator[str]:
        served = [path for path in before if path.startswith(f"{self.digests['served']}/")]
        if any(before[path] != state.get(path) for path in served for state in (between, after)):
            yield "the copy that is served has changed"
        copied = {path: state for path, state in between.items() if path.startswith(f"{digest}/")}
        if any(text != NEW[path.partition("/")[2]] for path, (text, _) in copied.items()):
            yield f"half a file has its name: {copied}"
        if f"{digest}.json" in between and len(copied) != len(NEW):
            yield "half a copy is marked as complete"
        if any(after.get(path) != state for path, state in copied.items()):
            yield "a file that was whole has been written again"
        expected = {f"{copy}/{file}" for copy in (digest, self.digests["served"]) for file in NEW}
        expected |= {f"{digest}.json", f"{self.digests['served']}.json"}
        if set(after) != expected:
            yield f"there is {sorted(after)}, not {sorted(expected)}"


STAGED = (
    [("file", False), ("file", True), ("memory", False), ("memory", True)]
    if EVERYTHING
    else [("file", False)]
)


@pytest.mark.parametrize(("kind", "again"), STAGED)
def test_staging_that_is_killed_at_any_change_and_retried_ends_in_the_same_copies(
    hook: SeldonHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, again: bool
) -> None:
    staging = Staging(kind, tmp_path, monkeypatch)
    deploy(model_uri=f"s3://models/{staging.digests['served']}", wait_for_available=False)
    problems: list[str] = []
    for amidst in (False, True):
        ended: list[int] = []
        first = 1
        while not ended:
            kill = partial(staging.killed_at, amidst=amidst, again=again, ended=ended)
            problems += in_parallel([partial(kill, k) for k in range(first, first + 2 * THREADS)])
            first += 2 * THREADS
    assert problems == []
    assert min(ended) > 2
