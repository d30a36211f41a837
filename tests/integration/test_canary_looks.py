"""Looks in the triggerer: no worker and no API server between them, and none is lost with whoever made them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_seldon.analysis import Analysis, ErrorRatio, FunctionMetric
from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.decisions import AnyOf, AskFunction, Evidence, RunningVersionFails
from airflow_provider_seldon.exceptions import CanaryAbortedError
from airflow_provider_seldon.hooks.prometheus import PrometheusHook
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger
from tests.clusters import patience
from tests.integration.conftest import context
from tests.integration.test_canary import (
    TUESDAY,
    assert_serves,
    attempt,
    event_of,
    operator,
    predictors,
    served,
    writes_of_ours,
)
from tests.integration.test_deploy_operator import deploy

__all__ = ["served"]

pytestmark = pytest.mark.simulated_pods("a dozen rollouts")

INTERVAL = 0.3


class ScriptedPrometheus:
    """Answers for a candidate that errs at some of its looks; the numbers of a time are always the same."""

    def __init__(self, *bad: int) -> None:
        self.bad = bad
        self.asked: list[float] = []
        self.queries: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = parse_qs(urlsplit(self.path).query)
                moment = float(given.get("time", [time.time()])[0])
                outer.queries += given.get("query", [])
                outer.asked.append(moment)
                body = json.dumps({"status": "success", "data": outer.answer(moment)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def number(self, moment: float) -> int:
        """Which look a time is of, from 1."""
        return 1 + round((moment - self.asked[0]) / INTERVAL)

    @property
    def looks(self) -> list[int]:
        """Which looks were asked for."""
        return [self.number(moment) for moment in list(self.asked)]

    def answer(self, moment: float) -> dict[str, Any]:
        errors = 200 if self.number(moment) in self.bad else 0
        counts = {"requests": 1000, "errors": errors}
        result = [
            {"metric": {"predictor_name": side, "counted": word}, "value": [moment, str(number)]}
            for side in ("canary", "default")
            for word, number in counts.items()
        ]
        return {"resultType": "vector", "result": result}

    def __enter__(self) -> ScriptedPrometheus:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ScriptedPrometheus]]:
    servers: list[ScriptedPrometheus] = []

    def start(*bad: int) -> ScriptedPrometheus:
        server = ScriptedPrometheus(*bad).__enter__()
        servers.append(server)
        connection = {"conn_type": "http", "host": "127.0.0.1", "port": server.port, "schema": "http"}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
        return server

    yield start
    for server in servers:
        server.__exit__()


def canary(**arguments: Any) -> Any:
    given = {
        "steps": [5],
        "bake": 600,
        "look_interval": INTERVAL,
        "analysis": Analysis(metrics=[ErrorRatio(at_most=0.1)], failure_limit=1),
        "prometheus_conn_id": "prometheus_default",
        "deferrable": True,
    }
    return operator(**{**given, **arguments})


def baking(task: Any, given: Any) -> SeldonCanaryTrigger:
    """The trigger of a step that bakes, as a triggerer makes it of what is stored."""
    step: Callable[[], Any] = lambda: task.execute(given)  # noqa: E731
    while True:
        with pytest.raises(TaskDeferred) as deferred:
            step()
        trigger, resume = deferred.value.trigger, getattr(task, deferred.value.method_name)
        if trigger.until is not None:
            return restarted(trigger)
        event = asyncio.run(event_of(trigger))
        step = lambda resume=resume, event=event: resume(given, event)  # noqa: E731


def restarted(trigger: Any) -> SeldonCanaryTrigger:
    _, arguments = trigger.serialize()
    return SeldonCanaryTrigger(**json.loads(json.dumps(arguments)))


def is_ours(entry: Any) -> bool:
    return str(entry.user_agent).startswith("airflow-provider")


async def killed(trigger: Any, *, when: Callable[[], bool]) -> None:
    """Let a trigger run until something has happened, and then end it without a word."""
    async with aclosing(trigger.run()) as events:
        running = asyncio.ensure_future(anext(events))
        deadline = time.monotonic() + patience(30)
        while not when():
            assert time.monotonic() < deadline
            assert not running.done(), running
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_no_look_is_lost_when_the_triggerer_restarts_or_the_task_is_tried_again(
    hook: SeldonHook, served: str, local_seldon: Any, scripted: Any
) -> None:
    server = scripted(2, 8)
    trigger = baking(canary(), context(logical_date=TUESDAY))
    local_seldon.requests.clear()
    asyncio.run(killed(trigger, when=lambda: 3 in server.looks))
    asked = {one.path.rpartition("/")[2] for one in local_seldon.requests.entries() if is_ours(one)}
    assert asked == {"seldondeployments", "deployments"}, "one LIST and one WATCH of each, whoever waits"
    assert len([one for one in local_seldon.requests.entries() if is_ours(one)]) == 4
    assert server.looks == [1, 2, 3], "one query for each look"

    again = restarted(trigger)
    asyncio.run(killed(again, when=lambda: 5 in server.looks))
    assert server.looks[3:6] == [1, 2, 3], "the looks of before, as of their times"
    assert server.asked[3:6] == server.asked[:3]
    del server.asked[1:]

    lease = Lease.of(hook.client.get(served))
    retry = context(logical_date=TUESDAY, try_number=2)
    with pytest.raises(
        CanaryAbortedError, match=r"at 5 %: ErrorRatio: fail \(0.2 is more than 0.1\)"
    ) as ended:
        attempt(canary(), retry)
    # Only the failures of before make the one at the eighth look the second.
    assert server.looks[1:] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert lease is not None
    assert server.asked[0] == pytest.approx((lease.since or 0) + INTERVAL, abs=0.01)
    assert len(writes_of_ours(local_seldon)) == 1, "the abort: no step is written again"
    assert "0.2, and 0.2 of the running version, in 1000 and 1000 requests; limit: at most 0.1" in str(
        ended.value
    )
    told = retry["ti"].pushed["canary"]["steps"][-1]
    assert (told["metrics"][0]["candidate"], told["looks"]) == (0.2, 8)
    assert 'predictor_name=~"canary|default"' in told["graph"]["query"]
    assert told["graph"]["end"] == pytest.approx(server.asked[-1], abs=0.01)
    assert_serves(hook, served, "1")


def test_what_the_previous_release_has_stored_is_baked_and_a_worker_looks(
    hook: SeldonHook, served: str, scripted: Any
) -> None:
    server = scripted()
    task, given = canary(), context(logical_date=TUESDAY)
    _, arguments = baking(task, given).serialize()
    before = {"canary": served, "namespace": hook.namespace, "counters": {"ErrorRatio": {"failed": 1}}}
    trigger = SeldonCanaryTrigger(**{**arguments, "until": time.time() + 0.5, "handoff": before})
    event = asyncio.run(event_of(trigger))
    assert (event["baked"], event["handoff"]) == ("", before)
    assert server.asked == []
    with pytest.raises(TaskDeferred):
        canary().execute_complete(given, event)
    assert server.looks[0] == 1
    # A user stops the task while it is deferred.
    asyncio.run(trigger.on_kill())
    assert predictors(hook, served) == {"default": ("1", None)}


def test_a_canary_whose_prometheus_cannot_be_reached_waits_and_is_aborted_in_the_end(
    hook: SeldonHook, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": 1, "extra": '{"retries": 0}'}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
    with pytest.raises(CanaryAbortedError, match=r"no result.*ErrorRatio: error \(Prometheus at .* does not"):
        attempt(canary(bake=0.5, timeout=patience(3)), context(logical_date=TUESDAY))
    assert_serves(hook, served, "1")


def test_a_decision_may_be_that_the_running_version_fails_its_metrics(
    hook: SeldonHook, scripted: Any
) -> None:
    rule = RunningVersionFails(metrics=[ErrorRatio(at_most=0.1)])
    name = deploy(deploy_decision=AnyOf(rule, True))["name"]
    second = {"model_uri": "s3://models/iris/2", "deploy_decision": rule}
    server = scripted()
    kept = deploy(**second)
    assert (kept["action"], kept["model_uri"]) == ("reused", "s3://models/iris/1")
    assert kept["decision"].startswith(f"do not deploy: RunningVersionFails: {name}: ErrorRatio pass: ")
    assert all(f'"{name}"' in query and f'"{hook.namespace}"' in query for query in server.queries)
    assert server.queries
    scripted(1)
    replaced = deploy(**second)
    assert (replaced["action"], replaced["model_uri"]) == ("updated", "s3://models/iris/2")
    assert "ErrorRatio fail: " in replaced["decision"]


def test_a_decision_to_deploy_may_ask_how_the_version_that_serves_does(scripted: Any) -> None:
    def serves_badly(evidence: Evidence) -> bool:
        found = PrometheusHook().assess(
            ErrorRatio(at_most=0.1), deployment=evidence.deployment, namespace="models"
        )
        return found.grade == "fail"

    for bad, deploys in (((1,), True), ((), False)):
        scripted(*bad)
        decision = AskFunction(serves_badly).decide(Evidence(deployment="iris", now=datetime.now(UTC)))
        assert decision.deploy is deploys
    drift = FunctionMetric(lambda **_: 1.0, at_most=1)
    for unmeasurable in (drift, ErrorRatio(at_most_ratio=1.3)):
        found = PrometheusHook().assess(unmeasurable, deployment="iris", namespace="models")
        assert found.grade == "error"
