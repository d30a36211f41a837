"""
The cases of ``test_crash_safety``: what is on the cluster, which task meets with an accident, what is to be in the end.

Every case has a namespace of its own. What happens to which request is a ``Strike``; that the k-th request is meant, or
a kind of request of the wait, is up to the strike.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.faults import Fault
from tests.clusters import clusters
from tests.integration import task_process

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
#: One that was deployed next to it.
OTHER_NAME = IRIS_OF_TASK.deployment_name(replace=False)
CUSTOM_NAME = Identity(dag_id="train_and_deploy", task_id="custom", model_name="iris").deployment_name(
    replace=True
)
POLICY = {"suspect_after": 0.1, "crash_loop_count": 1}
IRIS = {"model_name": "iris", "deferrable": False, "failure_policy": POLICY, "timeout": 120}
CRASHING = {"extra_args": {"annotations": {"local.seldon/behaviour": "crash"}}}
WAITING = {"name": NAME, "timeout": 120, "deferrable": False, "failure_policy": POLICY}
CANARY_NAME = Identity(dag_id="train_and_deploy", task_id="canary", model_name="iris").deployment_name(
    replace=True
)
#: Cases at a time; most of their time is waiting.
THREADS = 4

Task = tuple[str, dict[str, Any]]


def uri(number: int) -> str:
    return f"s3://models/iris/{number}"


def version(number: int, **more: Any) -> Task:
    return "deploy", {**IRIS, "model_uri": uri(number), "implementation": "SKLEARN_SERVER", **more}


def custom(number: int) -> Task:
    function = {"image": "models/iris:1", "predict_function": "only_in_image:predict"}
    return "custom", {**IRIS, "model_uri": uri(number), **function}


def applied(number: int, *, behaviour: str = "healthy") -> Task:
    """A graph of two models."""
    graph = {
        "name": "scaler",
        "type": "TRANSFORMER",
        "implementation": "SKLEARN_SERVER",
        "modelUri": uri(number),
        "children": [
            {
                "name": "classifier",
                "implementation": "SKLEARN_SERVER",
                "modelUri": f"s3://models/head/{number}",
            }
        ],
    }
    predictor = {"name": "main", "annotations": {"local.seldon/behaviour": behaviour}, "graph": graph}
    manifest = {"metadata": {"name": "pipeline"}, "spec": {"predictors": [predictor]}}
    return "apply", {"manifest": manifest, **{key: IRIS[key] for key in IRIS if key != "model_name"}}


def canary(number: int, **more: Any) -> Task:
    steps = {"steps": [20, 50], "bake": 0.1, "implementation": "SKLEARN_SERVER"}
    # There is no ingress here: nothing but this time says that a change of weights is done.
    hurry = {"failure_policy": {**POLICY, "settle": 0.2}}
    return "canary", {**IRIS, "model_uri": uri(number), **steps, **hurry, **more}


def deferred(task: Task) -> Task:
    return task[0], {**task[1], "deferrable": True}


@dataclass(frozen=True)
class Scenario:
    """
    A task in a situation.

    :param before: what was deployed before, in runs of their own.
    :param task: operator and arguments of the task that is killed.
    :param serves: number of the version that serves in the end; None for no deployment.
    :param lists: how many LISTs of deployments the task sends, besides those of its wait.
    :param fails: the task is to fail, each time.
    :param name: name of the one deployment in the end.
    """

    before: tuple[Task, ...]
    task: Task
    serves: int | None
    lists: int = 0
    fails: bool = False
    name: str = NAME


SCENARIOS = {
    "first deploy": Scenario((), version(1), serves=1, lists=1),
    "update": Scenario((version(1),), version(2), serves=2, lists=1),
    "deferred update": Scenario((version(1),), deferred(version(2)), serves=2, lists=1),
    "update of several": Scenario(
        (version(0), version(1, replace=False)), version(2), serves=2, lists=1, name=OTHER_NAME
    ),
    "failing update": Scenario(
        (version(1),), version(2, model_server=CRASHING), serves=1, lists=1, fails=True
    ),
    "restart": Scenario(
        (version(1), ("scale", {**WAITING, "replicas": 0})),
        version(2, deploy_decision=False),
        serves=1,
        lists=1,
    ),
    "rollback": Scenario((version(1), version(2)), ("roll_back", WAITING), serves=1),
    "scaling": Scenario((version(1),), ("scale", {**WAITING, "replicas": 2}), serves=1),
    "prediction": Scenario((version(1),), ("predict", {"name": NAME, "data": [[1.0]]}), serves=1),
    "deletion": Scenario((version(1),), ("delete", {"name": NAME, "timeout": 120}), serves=None),
    "first custom model": Scenario((), custom(1), serves=1, lists=1, name=CUSTOM_NAME),
    "custom model": Scenario((custom(1),), custom(2), serves=2, lists=1, name=CUSTOM_NAME),
    "manifest": Scenario((applied(1),), applied(2), serves=2, lists=1, name="pipeline"),
    "canary": Scenario((canary(1),), canary(2), serves=2, lists=2, name=CANARY_NAME),
    "deferred canary": Scenario((canary(1),), deferred(canary(2)), serves=2, lists=2, name=CANARY_NAME),
    "failing canary": Scenario(
        (canary(1),),
        canary(2, model_server=CRASHING),
        serves=1,
        lists=1,
        fails=True,
        name=CANARY_NAME,
    ),
    "failing manifest": Scenario(
        (applied(1),), applied(2, behaviour="crash"), serves=1, lists=1, fails=True, name="pipeline"
    ),
}


@dataclass
class Strike:
    """What happens to the k-th request from one namespace, with ``lists`` leaving out those of the wait."""

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
class WaitStrike:
    """What happens to the first request of the wait of one kind: ``list`` or ``watch`` of one resource."""

    verb: str
    resource: str
    act: Callable[[], Fault]
    lists: int
    done: bool = False

    def meets(self, verb: str, resource: str) -> Fault | None:
        if self.done or (verb, resource) != (self.verb, self.resource):
            return None
        if (verb, resource) == ("list", "seldondeployments") and self.lists:
            self.lists -= 1
            return None
        self.done = True
        return self.act()


@dataclass
class Cluster:
    """The local cluster with a hand on its requests."""

    local: Any
    strikes: dict[str, Strike | WaitStrike] = field(default_factory=dict)

    def take(self, *, verb: str, apply: bool, resource: str, name: str, namespace: str) -> Fault | None:
        strike = self.strikes.get(namespace)
        return strike.meets(verb, resource) if strike else None

    def new_namespace(self) -> str:
        return clusters().new_namespace(self.local)


class Probe:
    """Requests predictions all the time."""

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
                with urllib.request.urlopen(self._request, timeout=60) as response:
                    response.read()
            except urllib.error.HTTPError as error:
                self.failed.add(f"{error.code} {error.read()[:200]!r}")
            except OSError as error:
                self.failed.add(repr(error))


class Case:
    """One scenario in its own namespace."""

    def __init__(self, cluster: Cluster, scenario: Scenario) -> None:
        self.cluster = cluster
        self.scenario = scenario
        self.namespace = cluster.new_namespace()
        self.hook = SeldonHook(namespace=self.namespace)
        for number, task in enumerate(scenario.before):
            self._run(*task, f"before-{number}")

    def attempt(self, try_number: int) -> None:
        """One try, in this process."""
        try:
            self._run(*self.scenario.task, "run-1", try_number)
        except SeldonError:
            if try_number > 1 and not self.scenario.fails:
                raise

    def start(self) -> Any:
        """One try, in its own process."""
        operator, arguments = self.scenario.task
        return task_process.start(operator, {**arguments, "namespace": self.namespace}, "run-1", 1)

    def probed(self) -> Probe:
        """A probe of the running version; of nothing where that is no promise."""
        url = f"{self.cluster.local.gateway_url}/seldon/{self.namespace}/{self.scenario.name}/api/v1.0/predictions"
        probe = Probe(url)
        sleeping = any(arguments.get("replicas") == 0 for _, arguments in self.scenario.before)
        if not self.scenario.before or self.scenario.serves is None or sleeping:
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
        served = uri(self.scenario.serves)
        proven = ProvenVersion.last_of(stored)
        answered = json.dumps(self.hook.predict(stored.name, [[1.0]], deployment=stored))
        expected: dict[str, tuple[Any, Any]] = {
            "model": (served in json.dumps(stored.to_manifest()["spec"]), True),
            "state": (stored.state.value, "Available"),
            "answers": (served in answered, True),
            "proven": (proven is not None and served in json.dumps(proven.config), True),
            "owners of Secrets": ([[one["uid"] for one in own] for own in owners], [[stored.uid]]),
            "operators of a rolling update": (len(self.hook.client.children(stored.name)), 1),
        }
        return [
            f"{key} is {found}, not {wanted}" for key, (found, wanted) in expected.items() if found != wanted
        ]


def in_parallel(cases: list[Callable[[], list[str]]], *, threads: int = THREADS) -> list[str]:
    with ThreadPoolExecutor(threads) as pool:
        return [problem for found in pool.map(lambda case: case(), cases) for problem in found]
