from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import Configuration

from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.outcome import Ending
from airflow_provider_seldon.exceptions import ForbiddenError, NotFoundError, UnauthorizedError
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.watch import fresh_read
from airflow_provider_seldon.kube.watch.wait import wait
from airflow_provider_seldon.local.apiserver.access.authorization import Deny
from airflow_provider_seldon.local.certificates import make_certificates
from airflow_provider_seldon.local.faults import Fault
from tests.front_server import Answer, Seen, in_front_of
from tests.integration.api_server import (
    CHILDREN,
    QUICK,
    SDEPS,
    Cluster,
    cluster,
    in_loop,
    until,
    watching,
)


@in_loop
async def test_available_of_the_previous_version_is_not_believed():
    async with cluster() as here:
        first = await here.deploy()
        await here.finish(first)
        second = await here.deploy(version=2)
        waiting = here.wait(second)
        await watching(here)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await here.roll(second)
        outcome = await waiting
        assert (outcome.ending, outcome.state, outcome.reason) == (Ending.READY, "Available", "Serving")


@in_loop
async def test_without_the_right_to_read_deployments_the_status_must_stay_good():
    async with cluster(deny=[Deny(resource="deployments")]) as here:
        stored = await here.deploy()
        policy = FailurePolicy(weak_steady=0.3, weak_silent=0.6)
        told: list[str] = []
        waiting = here.wait(stored, policy=policy, on_progress=lambda verdict: told.append(verdict.progress))
        counts = {"iris-default-0-classifier": {"replicas": 1, "availableReplicas": 1}}
        await here.say(stored, "Available", deploymentStatus=counts)
        outcome = await waiting
        assert (outcome.ending, outcome.reason) == (Ending.READY, "StatusSteady")
        assert any("no right to read Deployments" in line for line in told)


@in_loop
async def test_lasting_refusals_end_the_wait_by_name():
    async with cluster(deny=[Deny(resource=SDEPS)]) as here:
        with pytest.raises(ForbiddenError, match="cannot list resource"):
            await here.wait(None)
    async with cluster() as here:
        here.faults.add(Fault(verb="list", resource=SDEPS, status=404, count=None))
        with pytest.raises(NotFoundError):
            await here.wait(None)
    async with cluster(tokens={"admin": "admin"}) as here:
        here.token = "wrong"
        with pytest.raises(UnauthorizedError):
            await here.wait(None)


@in_loop
async def test_a_re_created_deployment_is_distinguished_from_ours():
    async with cluster() as here:
        stored = await here.deploy()
        waiting = here.wait(stored)
        await watching(here)
        here.faults.add(Fault(verb="watch", resource=SDEPS, delay=0.2))
        here.server.close_watches()
        await here.delete("iris")
        again = await here.deploy()
        await here.finish(again)
        outcome = await waiting
        assert outcome.ending in (Ending.REPLACED, Ending.DELETED)


@in_loop
async def test_predecessor_of_the_same_name_in_the_cache_is_not_taken_for_the_end():
    async with cluster() as here:
        first = await here.deploy()
        staying = here.wait(first, deadline=time.time() + 60)
        await watching(here)
        here.faults.add(Fault(verb="watch", resource=SDEPS, delay=0.3))
        here.server.close_watches()
        await here.delete("iris")
        second = await here.deploy()
        waiting = here.wait(second)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await here.finish(second)
        assert (await waiting).ending is Ending.READY
        assert (await staying).ending in (Ending.REPLACED, Ending.DELETED)


@in_loop
async def test_without_an_expectation_the_coming_into_being_is_waited_for():
    async with cluster() as here:
        waiting = here.wait(None)
        await watching(here)
        await here.finish(await here.deploy())
        assert (await waiting).ending is Ending.READY


@in_loop
async def test_deadline_ends_the_wait_with_what_was_last_seen():
    async with cluster() as here:
        stored = await here.deploy()
        await here.say(stored, "Creating")
        began = time.monotonic()
        outcome = await here.wait(stored, deadline=time.time() + 0.3)
        assert (outcome.ending, outcome.reason, outcome.state) == (Ending.TIMEOUT, "ChildMissing", "Creating")
        assert 0.25 <= time.monotonic() - began < 3.0


@in_loop
async def test_deadline_holds_while_the_server_is_away():
    async with cluster() as here:
        here.faults.add(Fault(status=503, count=None))
        outcome = await here.wait(None, deadline=time.time() + 0.3)
        assert (outcome.ending, outcome.reason) == (Ending.TIMEOUT, "ServerUnavailable")
        assert "503" in outcome.message


@in_loop
async def test_looking_once_needs_no_list_of_the_namespace():
    async with cluster() as here:
        stored = await here.deploy()
        assert (await here.wait(None, "absent", deadline=0.0)).reason == "NotFound"
        outcome = await here.wait(stored, deadline=0.0)
        assert (outcome.ending, outcome.reason) == (Ending.TIMEOUT, "ChildMissing")
        await here.finish(stored)
        assert (await here.wait(stored, deadline=0.0)).ending is Ending.READY
        assert (here.count("list", SDEPS), here.count("watch", SDEPS)) == (0, 0)
        here.server.authorizer.deny = [Deny(resource=CHILDREN)]
        assert (await here.wait(stored, deadline=0.0)).reason == "CountsDiffer"


@in_loop
async def test_looking_once_at_what_is_scaled_to_zero_reads_its_pods():
    async with cluster(garbage_collection=False) as here:
        stored = await here.deploy()
        await here.finish(stored)
        await make_pod(here, stored, "ContainerCreating")
        predictors = [stored["spec"]["predictors"][0] | {"replicas": 0}]
        path = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments/iris"
        stored = await here.send("PATCH", path, {"spec": {"predictors": predictors}})
        await here.roll(stored, available=0)
        child = "/apis/apps/v1/namespaces/default/deployments/iris-default-0-classifier"
        await here.send("PATCH", child, {"spec": {"replicas": 0}})
        none = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 0)
        await here.send("PATCH", f"{child}/status", {"status": none | {"observedGeneration": 9}})
        await here.say(stored, "Creating")
        for expected in (stored, None):  # a wait whose timeout has passed, and a sensor
            ending = await here.wait(expected, deadline=0.0)
            assert (ending.ending, ending.reason) == (Ending.TIMEOUT, "PodsEnding")
        here.server.authorizer.deny = [Deny(resource="pods")]
        unread = await here.wait(stored, deadline=0.0)
        assert (unread.ending, "were not checked" in unread.weaker) == (Ending.READY, True)


@in_loop
async def test_pods_are_read_by_one_list_for_all_and_only_when_a_child_lacks_them():
    policy = FailurePolicy(suspect_after=0.2)
    async with cluster(garbage_collection=False) as here:
        stored = [await here.deploy(f"m{number}") for number in range(10)]
        waits = [here.wait(one, policy=policy) for one in stored]
        await watching(here)
        for one in stored:
            await here.roll(one, available=0)
            await here.say(one, "Creating")
            await make_pod(here, one, "InvalidImageName")
        outcomes = await asyncio.gather(*waits)
        assert {outcome.ending for outcome in outcomes} == {Ending.FAILED}
        assert {outcome.reason for outcome in outcomes} == {"InvalidImageName"}
        assert 1 <= here.count("list", "pods") <= 4


@in_loop
async def test_without_the_right_to_read_pods_the_wait_continues():
    policy = FailurePolicy(suspect_after=0.05)
    async with cluster(deny=[Deny(resource="pods")]) as here:
        stored = await here.deploy()
        waiting = here.wait(stored, policy=policy)
        await here.roll(stored, available=0)
        await until(lambda: here.count("list", "pods") == 1)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY


@in_loop
async def test_failed_that_lasts_is_reported_without_any_event():
    async with cluster() as here:
        stored = await here.deploy()
        waiting = here.wait(stored, policy=FailurePolicy(failed_grace=0.3))
        await here.say(stored, "Failed", "odd")
        outcome = await waiting
        assert (outcome.ending, outcome.reason) == (Ending.FAILED, "OperatorReportsFailed")


@in_loop
async def test_tls_is_checked_against_the_clusters_own_authority():
    certificates = make_certificates("127.0.0.1")
    async with cluster(tls=certificates.server) as here:
        with tempfile.NamedTemporaryFile("wb", suffix=".crt") as authority:
            authority.write(certificates.authority_pem)
            authority.flush()
            trusting = access_to(here, ssl_ca_cert=authority.name)
            outcome = await wait(trusting, "default", "absent", deadline=0.0)
            assert outcome.reason == "NotFound"
        doubting = await wait(access_to(here), "default", "absent", deadline=time.time() + 0.5, tuning=QUICK)
        assert doubting.reason == "ServerUnavailable"
        assert "certificate verify failed" in doubting.message.lower()
        careless = await wait(access_to(here, verify_ssl=False), "default", "absent", deadline=0.0)
        assert careless.reason == "NotFound"


def access_to(here: Cluster, **fields: object) -> ClusterAccess:
    configuration = Configuration(host=here.server.url)
    configuration.proxy = None
    for name, value in fields.items():
        setattr(configuration, name, value)
    return ClusterAccess.of_configuration(configuration, key=f"{here.server.url} {fields}")


async def make_pod(here: Cluster, stored: dict[str, object], reason: str) -> None:
    name = stored["metadata"]["name"]  # type: ignore[index]
    child = f"{name}-default-0-classifier"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{child}-1",
        "uid": "rs",
        "controller": True,
    }
    annotations = stored["spec"]["predictors"][0]["annotations"]  # type: ignore[index]
    metadata = {
        "name": f"{child}-1-a",
        "labels": {"seldon-deployment-id": name},
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    path = "/api/v1/namespaces/default/pods"
    container = {"name": "classifier", "image": "x"}
    await here.send(
        "POST",
        path,
        {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": [container]}},
    )
    entry = {"name": "classifier", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    state = {"state": {"waiting": {"reason": reason, "message": "bad"}}}
    status = {"status": {"phase": "Pending", "containerStatuses": [entry | state]}}
    await here.send("PATCH", f"{path}/{metadata['name']}/status", status)


@in_loop
async def test_a_silent_watch_does_not_hide_that_a_version_serves():
    async with cluster() as here:
        for resource in (SDEPS, CHILDREN):
            here.faults.add(Fault(verb="watch", resource=resource, stall=60.0, count=None))
        stored = await here.deploy()
        waiting = here.wait(stored, deadline=time.time() + 1.5, tuning=replace(QUICK, idle=30.0))
        await watching(here)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY


@in_loop
async def test_a_failure_that_only_a_silent_watch_shows_is_not_believed():
    async with cluster() as here:
        for resource in (SDEPS, CHILDREN):
            here.faults.add(Fault(verb="watch", resource=resource, stall=60.0, count=None))
        stored = await here.deploy()
        await here.roll(stored, available=0)
        await here.say(stored, "Failed", "not for long")
        tuning = replace(QUICK, idle=30.0)
        policy = FailurePolicy(failed_grace=1.0)
        waiting = here.wait(stored, deadline=time.time() + 5, tuning=tuning, policy=policy)
        await watching(here)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY


@in_loop
async def test_at_the_deadline_a_server_that_is_down_is_retried_before_a_rollout_fails():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_read, "LOOK_PAUSE", 0.2)
        await outlast_an_outage_at_the_deadline()


async def outlast_an_outage_at_the_deadline() -> None:
    async with cluster() as here:
        stored = await here.deploy()
        await here.finish(stored)
        here.faults.add(Fault(verb="list", status=503, count=None))
        here.faults.add(Fault(verb="get", status=503, count=3))
        waiting = here.wait(stored, deadline=time.time() + 0.5)
        await until(lambda: here.count("get", SDEPS) >= 3)
        here.faults.clear()
        assert (await waiting).ending is Ending.READY


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_is_set_changes_nothing_for_a_wait(monkeypatch: pytest.MonkeyPatch, jump: float):
    real = time.time

    @in_loop
    async def scenario() -> None:
        async with cluster() as here:
            stored = await here.deploy()
            began = time.monotonic()
            waiting = here.wait(stored, deadline=time.time() + 1.5)
            await watching(here)
            monkeypatch.setattr(time, "time", lambda: real() + jump)
            await here.say(stored, "Creating")
            await asyncio.sleep(0.2)
            assert not waiting.done()
            assert (await waiting).ending is Ending.TIMEOUT
            assert 1.0 < time.monotonic() - began < 10.0

    scenario()


ODD_EVENTS = {
    "no JSON": b'{"type": "ADDED", "obj',
    "no object": b"[1, 2]\n",
    "a text": b'"x"\n',
    "null": b"null\n",
    "deep": b"[" * 100_000 + b"\n",
    "deep object": b'{"type": "ADDED", "object": ' + b'{"a":' * 100_000 + b"\n",
    "no name": b'{"type": "MODIFIED", "object": {}}\n',
    "odd metadata": b'{"type": "MODIFIED", "object": {"metadata": [5]}}\n',
    "odd text": b"\xff\xfe\n",
    "HTML": b"<html>hello</html>",
    "empty": b"",
}


@pytest.mark.parametrize("body", ODD_EVENTS.values(), ids=ODD_EVENTS)
@pytest.mark.parametrize("verb", ["watch", "list"])
def test_odd_answers_to_a_shared_watch_end_no_wait(body: bytes, verb: str):
    @in_loop
    async def scenario() -> None:
        async with cluster() as here:
            with in_front_of(here.server.url) as front:
                left = [3]

                def rule(seen: Seen) -> Answer | None:
                    watches = "watch=true" in seen.path
                    if left[0] and watches == (verb == "watch") and SDEPS in seen.path:
                        left[0] -= 1
                        return Answer(body)
                    return None

                front.rule = rule
                stored, other = await here.deploy(), await here.deploy("other")
                access = Cluster(here.server, here._http, url=front.url).access
                waits = [here.wait(one, access=access) for one in (stored, other)]
                await until(lambda: not left[0])
                await here.finish(stored)
                assert (await waits[0]).ending is Ending.READY
                assert not waits[1].done()
                waits[1].cancel()
                await asyncio.gather(*waits, return_exceptions=True)

    scenario()


@in_loop
async def test_an_object_that_cannot_be_kept_concerns_only_those_who_wait_for_it():
    odd = {
        "metadata": {"name": "odd", "resourceVersion": "²"},
        "spec": {"predictors": [1, None, {"name": []}]},
    }
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    lines = [
        {"type": "ADDED", "object": odd},
        {"type": "ADDED", "object": {"metadata": {"name": "odd", "ownerReferences": 5}, "status": "x"}},
        {"type": "ADDED", "object": {"metadata": {"name": "deep"}, "spec": deep}},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    async with cluster() as here:
        with in_front_of(here.server.url) as front:
            odd_watches: list[Seen] = []

            def rule(seen: Seen) -> Answer | None:
                if "watch=true" in seen.path and len(odd_watches) < 3:
                    odd_watches.append(seen)
                    return Answer(body)
                return None

            front.rule = rule
            stored = await here.deploy()
            access = Cluster(here.server, here._http, url=front.url).access
            waiting = here.wait(stored, access=access)
            others = [here.wait(None, name, access=access) for name in ("odd", "deep")]
            await until(lambda: len(odd_watches) == 3)
            await here.finish(stored)
            assert (await waiting).ending is Ending.READY
            for one in others:
                one.cancel()
            await asyncio.gather(*others, return_exceptions=True)
