"""
A task may be killed, and a request may go wrong, at any point: a retry always ends in the same state.

Every case has a namespace of its own: what served before is deployed, a probe asks it for predictions all the time, a
task is started in a process of its own, and the API server kills that process when its k-th request comes in, before
or after handling it. Then the task is run again, as Airflow would. The same with the k-th request answered wrongly,
or not at all.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from airflow_provider_seldon.core import identity as ids
from airflow_provider_seldon.core.history import ProvenVersion
from airflow_provider_seldon.core.identity import Identity
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube import waiting
from airflow_provider_seldon.kube.transport import Transport
from airflow_provider_seldon.local.faults import Fault

from . import task_process

MINIO = json.dumps(
    {
        "conn_type": "aws",
        "login": "key",
        "password": "hidden",
        "extra": {"endpoint_url": "http://minio:9000"},
    }
)
IRIS_OF_TASK = Identity(dag_id="train_and_deploy", task_id="deploy", model_name="iris", run_id="before-1")
NAME = IRIS_OF_TASK.deployment_name(replace=True)
#: One that was deployed beside it.
OTHER_NAME = IRIS_OF_TASK.deployment_name(replace=False)
POLICY = {"suspect_after": 0.1, "crash_loop_count": 1}
IRIS = {
    "model_name": "iris",
    "implementation": "SKLEARN_SERVER",
    "deferrable": False,
    "failure_policy": POLICY,
}
CRASHING = {"extra_args": {"annotations": {"local.seldon/behaviour": "crash"}}}
WAITING = {"name": NAME, "timeout": 30, "deferrable": False, "failure_policy": POLICY}
#: Cases at a time; most of their time is waiting.
THREADS = 4
_numbers = itertools.count(1)


def version(number: int, **more: Any) -> dict[str, Any]:
    return {**IRIS, "model_uri": f"s3://models/iris/{number}", "timeout": 30, **more}


@dataclass(frozen=True)
class Scenario:
    """
    A task in a situation.

    :param before: what was deployed before, in runs of their own: arguments of the deploying task.
    :param task: operator and arguments of the task that is killed.
    :param serves: number of the version that serves in the end; None for no deployment.
    :param lists: how many LISTs of deployments the task sends, besides those of its wait.
    :param fails: the task is to fail, each time.
    :param name: name of the one deployment in the end.
    """

    before: tuple[dict[str, Any], ...]
    task: tuple[str, dict[str, Any]]
    serves: int | None
    lists: int = 0
    fails: bool = False
    name: str = NAME


SCENARIOS = {
    "first deploy": Scenario((), ("deploy", version(1)), serves=1, lists=1),
    "update": Scenario((version(1),), ("deploy", version(2)), serves=2, lists=1),
    "update of several": Scenario(
        (version(0), version(1, replace=False)), ("deploy", version(2)), serves=2, lists=1, name=OTHER_NAME
    ),
    "failing update": Scenario(
        (version(1),), ("deploy", version(2, model_server=CRASHING)), serves=1, lists=1, fails=True
    ),
    "rollback": Scenario((version(1), version(2)), ("roll_back", WAITING), serves=1),
    "scaling": Scenario((version(1),), ("scale", {**WAITING, "replicas": 2}), serves=1),
    "prediction": Scenario((version(1),), ("predict", {"name": NAME, "data": [[1.0]]}), serves=1),
    "deletion": Scenario((version(1),), ("delete", {"name": NAME, "timeout": 30}), serves=None),
}


@dataclass
class Strike:
    """What happens to the k-th request from one namespace."""

    k: int
    act: Callable[[], Fault]
    lists: int | None = None
    count: int = 0
    done: bool = False

    def meets(self, verb: str, resource: str) -> Fault | None:
        if self.lists is not None and self._is_of_the_wait(verb, resource):
            return None
        self.count += 1
        if self.count != self.k:
            return None
        self.done = True
        return self.act()

    def _is_of_the_wait(self, verb: str, resource: str) -> bool:
        if verb == "list" and resource == "seldondeployments" and self.lists:
            self.lists -= 1
            return False
        return verb in {"list", "watch"} and resource != "secrets"


@dataclass
class Cluster:
    """The local cluster with a hand on its requests."""

    local: Any
    strikes: dict[str, Strike] = field(default_factory=dict)

    def take(self, *, verb: str, apply: bool, resource: str, name: str, namespace: str) -> Fault | None:
        strike = self.strikes.get(namespace)
        return strike.meets(verb, resource) if strike else None

    def new_namespace(self) -> str:
        name = f"crash-{next(_numbers)}"
        body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self.local.api_url}/api/v1/namespaces"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10):
            return name


@pytest.fixture
def cluster(local_seldon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", MINIO)
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(storage_conn_id="minio")
    )
    monkeypatch.setattr(waiting, "PODS_INTERVAL", task_process.PODS_INTERVAL)
    cluster = Cluster(local_seldon)
    monkeypatch.setattr(local_seldon.faults, "take", cluster.take)
    return cluster


class Probe:
    """Asks for predictions all the time."""

    def __init__(self, url: str) -> None:
        self._request = urllib.request.Request(
            url, json.dumps({"data": {"ndarray": [[1.0]]}}).encode(), {"Content-Type": "application/json"}
        )
        self.asked = 0
        self.failed: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(timeout=20)

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            self.asked += 1
            try:
                with urllib.request.urlopen(self._request, timeout=15) as response:
                    response.read()
            except urllib.error.HTTPError as error:
                self.failed.add(f"{error.code} {error.read()[:200]!r}")
            except OSError as error:
                self.failed.add(repr(error))


class Case:
    """One scenario in a namespace of its own."""

    def __init__(self, cluster: Cluster, scenario: Scenario) -> None:
        self.cluster = cluster
        self.scenario = scenario
        self.namespace = cluster.new_namespace()
        self.hook = SeldonHook(namespace=self.namespace)
        for number, arguments in enumerate(scenario.before):
            self._run("deploy", arguments, f"before-{number}")

    def attempt(self, try_number: int) -> None:
        """One try, in this process."""
        try:
            self._run(*self.scenario.task, "run-1", try_number)
        except SeldonError:
            if try_number > 1 and not self.scenario.fails:
                raise

    def start(self) -> Any:
        """One try, in a process of its own."""
        operator, arguments = self.scenario.task
        return task_process.start(operator, {**arguments, "namespace": self.namespace}, "run-1", 1)

    def probed(self) -> Probe:
        """A probe of what serves; of nothing where that is no promise."""
        url = f"{self.cluster.local.gateway_url}/seldon/{self.namespace}/{self.scenario.name}/api/v1.0/predictions"
        probe = Probe(url)
        if not self.scenario.before or self.scenario.serves is None:
            probe._ended.set()
        return probe

    def problems(self) -> list[str]:
        """What is not as it should be in the end."""
        deadline = time.monotonic() + 10
        while (wrong := self._wrong()) and time.monotonic() < deadline:
            time.sleep(0.1)  # the cluster collects garbage in its own time
        return wrong

    def clean_up(self) -> None:
        for one in self.hook.client.find():
            self.hook.client.delete(one.name, propagation="Background")

    def _run(self, operator: str, arguments: dict[str, Any], *run: Any) -> Any:
        return task_process.run(operator, {**arguments, "namespace": self.namespace}, *run)

    def _wrong(self) -> list[str]:
        deployments = self.hook.client.find()
        secrets = self.hook.client._transport.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets")
        owners = [one["metadata"].get("ownerReferences") or [] for one in secrets["items"]]
        if self.scenario.serves is None:
            return [*(f"{one.name} is left" for one in deployments), *(f"Secret of {own}" for own in owners)]
        if [one.name for one in deployments] != [self.scenario.name]:
            return [f"deployments are {[one.name for one in deployments]}"]
        stored = deployments[0]
        uri = f"s3://models/iris/{self.scenario.serves}"
        proven = ProvenVersion.last_of(stored)
        answered = json.dumps(self.hook.predict(stored.name, [[1.0]], deployment=stored))
        expected: dict[str, tuple[Any, Any]] = {
            "model": (stored.annotations[ids.ANNOTATION_MODEL_URI], uri),
            "state": (stored.state.value, "Available"),
            "answers": (uri in answered, True),
            "proven": (proven and proven.config["model_uri"], uri),
            "owners of Secrets": ([[one["uid"] for one in own] for own in owners], [[stored.uid]]),
            "operators of a rolling update": (len(self.hook.client.children(stored.name)), 1),
        }
        return [
            f"{key} is {found}, not {wanted}" for key, (found, wanted) in expected.items() if found != wanted
        ]


def in_parallel(cases: list[Callable[[], list[str]]]) -> list[str]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [problem for found in pool.map(lambda case: case(), cases) for problem in found]


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


#: ``make crash`` tries everything with everything, which takes long; ``make test`` a part that tells much.
EVERYTHING = bool(os.environ.get("SELDON_CRASH_EVERYTHING"))
KILLED = (
    [(name, moment) for name in SCENARIOS for moment in ("before", "after")]
    if EVERYTHING
    else [("first deploy", "after"), ("update", "before"), ("update", "after"), ("deletion", "after")]
)


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


FAULTS: dict[str, Callable[[], Fault]] = {
    "409": lambda: Fault(status=409),
    "429": lambda: Fault(status=429),
    "500": lambda: Fault(status=500),
    "503": lambda: Fault(status=503),
    "reset before": lambda: Fault(drop="before"),
    "reset after": lambda: Fault(drop="after"),
    "stall": lambda: Fault(stall=30),
}


def faulty_at(cluster: Cluster, scenario: Scenario, k: int, fault: str, *, ended: list[int]) -> list[str]:
    case = Case(cluster, scenario)
    with case.probed() as probe:
        strike = cluster.strikes[case.namespace] = Strike(k, FAULTS[fault], lists=scenario.lists)
        case.attempt(1)
        del cluster.strikes[case.namespace]
        if not strike.done:
            ended.append(k)
        case.attempt(2)
        wrong = case.problems()
    wrong += [f"failed prediction: {one}" for one in probe.failed]
    case.clean_up()
    return [f"{fault} to request {k}: {one}" for one in wrong]


#: To the client, 429 and 503 are like 500, and a reset before the server has seen the request is like one after.
TYPICAL = tuple(FAULTS) if EVERYTHING else ("409", "500", "reset after", "stall")
STRUCK = tuple(SCENARIOS) if EVERYTHING else ("first deploy", "update", "rollback")


@pytest.mark.parametrize("scenario", STRUCK)
def test_a_request_that_goes_wrong_in_any_way_changes_nothing_about_the_end(
    cluster: Cluster, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Transport.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "timeout", 0.5)
    problems: list[str] = []
    k, ended = 0, list[int]()
    while not ended:
        k += 1
        strike = partial(faulty_at, cluster, SCENARIOS[scenario], k, ended=ended)
        problems += in_parallel([partial(strike, fault) for fault in TYPICAL])
    assert problems == []
    assert k > 1
