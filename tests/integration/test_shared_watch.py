from __future__ import annotations

import asyncio
import tempfile
import time

import pytest
from kubernetes.client import Configuration

from airflow_provider_seldon.core.expectation import Expectation
from airflow_provider_seldon.core.failure import FailurePolicy
from airflow_provider_seldon.core.outcome import Ending
from airflow_provider_seldon.core.readiness import Verdict
from airflow_provider_seldon.exceptions import ForbiddenError, NotFoundError, UnauthorizedError
from airflow_provider_seldon.kube import shared_watch
from airflow_provider_seldon.kube.access import ClusterAccess
from airflow_provider_seldon.kube.shared_watch import subscribe
from airflow_provider_seldon.kube.waiting import wait
from airflow_provider_seldon.local.apiserver.authorization import Deny
from airflow_provider_seldon.local.certificates import make_certificates
from airflow_provider_seldon.local.faults import Fault
from tests.integration.api_server import QUICK, Cluster, all_of, cluster, in_loop, until

SDEPS, CHILDREN = "seldondeployments", "deployments"


async def watching(here: Cluster, times: int = 1) -> None:
    await until(lambda: here.count("watch", SDEPS) >= times and here.count("watch", CHILDREN) >= times)


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
async def test_many_waits_cost_one_list_and_one_watch_of_each_kind():
    async with cluster() as here:
        stored = [await here.deploy(f"m{number}") for number in range(25)]
        waits = [here.wait(one) for one in stored]
        await watching(here)
        for one in stored:
            await here.finish(one)
        assert set(await all_of(*waits)) == {"ready"}
        for resource in (SDEPS, CHILDREN):
            assert (here.count("list", resource), here.count("watch", resource)) == (1, 1)
        assert here.requests.count(verb="get") == 0


@in_loop
async def test_a_change_wakes_only_those_who_wait_for_that_name():
    async with cluster() as here:
        one, other = await here.deploy("one"), await here.deploy("other")
        looks: list[Verdict] = []
        waits = [here.wait(one), here.wait(other, on_progress=looks.append)]
        await watching(here)
        await until(lambda: looks and looks[-1].reason != "Connecting")
        before = len(looks)
        await here.finish(one)
        assert (await waits[0]).ending is Ending.READY
        assert len(looks) == before
        waits[1].cancel()


@in_loop
async def test_late_joiner_starts_from_what_is_known():
    async with cluster() as here:
        one, other = await here.deploy("one"), await here.deploy("other")
        await here.finish(one)
        staying = here.wait(other)
        await watching(here)
        requests = len(here.requests.entries())
        assert (await here.wait(one)).ending is Ending.READY
        assert len(here.requests.entries()) == requests
        staying.cancel()


@in_loop
async def test_late_joiner_of_what_the_watch_has_not_seen_yet_is_not_told_that_it_is_gone():
    async with cluster() as here:
        staying = here.wait(await here.deploy("other"))
        await watching(here)
        here.faults.add(Fault(verb="watch", resource=SDEPS, delay=0.3, count=None))
        here.server.close_watches()
        new = await here.deploy("new")
        waiting = here.wait(new)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await here.finish(new)
        assert (await waiting).ending is Ending.READY
        staying.cancel()


@in_loop
async def test_last_leaver_closes_everything():
    async with cluster() as here:
        waits = [here.wait(await here.deploy(name)) for name in ("a", "b")]
        await watching(here)
        waits[0].cancel()
        await asyncio.sleep(0.05)
        assert len([task for task in asyncio.all_tasks() if "NamespaceWatch" in repr(task)]) == 2
        waits[1].cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if "NamespaceWatch" in repr(task)] == []
        open_watches = here.requests.entries(lambda one: one.verb == "watch" and one.seconds is None)
        await until(
            lambda: not here.requests.entries(lambda one: one.verb == "watch" and one.seconds is None)
        )
        assert open_watches is not None
        assert (await here.wait(None, "absent", deadline=time.time() + 0.2)).ending is Ending.TIMEOUT


@in_loop
async def test_namespaces_have_watches_of_their_own_and_one_session():
    async with cluster() as here:
        here.faults.add(Fault(verb="*", resource=SDEPS, namespace="broken", status=500, count=None))
        good = await here.deploy("iris", "good")
        failing = here.wait(None, namespace="broken")
        waiting = here.wait(good)
        await watching(here)
        assert len(shared_watch._BY_LOOP[asyncio.get_running_loop()]._sessions) == 1
        await here.finish(good)
        assert (await waiting).ending is Ending.READY
        assert not failing.done()
        failing.cancel()


@in_loop
async def test_one_waiter_that_breaks_does_not_touch_the_others():
    def explode(verdict: Verdict) -> None:
        raise RuntimeError("of this waiter")

    async with cluster() as here:
        stored = await here.deploy()
        broken, fine = here.wait(stored, on_progress=explode), here.wait(stored)
        with pytest.raises(RuntimeError, match="of this waiter"):
            await broken
        await here.finish(stored)
        assert (await fine).ending is Ending.READY


@in_loop
async def test_dropped_streams_are_resumed_without_listing_again():
    async with cluster() as here:
        stored = await here.deploy()
        waiting = here.wait(stored)
        await watching(here)
        for times in (2, 3):
            here.server.close_watches()
            await here.say(stored, "Creating")
            await watching(here, times)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY
        assert (here.count("list", SDEPS), here.count("list", CHILDREN)) == (1, 1)


@in_loop
async def test_expired_versions_are_listed_again_once_and_nothing_is_lost():
    async with cluster() as here:
        stored = [await here.deploy(f"m{number}") for number in range(5)]
        waits = [here.wait(one) for one in stored]
        await watching(here)
        for resource in (SDEPS, CHILDREN):
            here.faults.add(Fault(verb="watch", resource=resource, status=410))
        here.server.close_watches()
        for one in stored:
            await here.finish(one)
        here.server.compact()
        assert set(await all_of(*waits)) == {"ready"}
        assert (here.count("list", SDEPS), here.count("list", CHILDREN)) == (2, 2)


@in_loop
async def test_deletion_that_happened_while_nobody_watched_is_seen_in_the_new_list():
    async with cluster() as here:
        stored, other = await here.deploy(), await here.deploy("other")
        waiting, staying = here.wait(stored), here.wait(other)
        await watching(here)
        here.faults.add(Fault(verb="watch", resource=SDEPS, status=410))
        here.faults.add(Fault(verb="list", resource=SDEPS, delay=0.2))
        here.server.close_watches()
        await here.delete("iris")
        assert (await waiting).ending is Ending.DELETED
        staying.cancel()


@in_loop
async def test_what_did_not_change_is_not_new_after_listing_again():
    async with cluster() as here:
        stored = await here.deploy()
        looks: list[Verdict] = []
        waiting = here.wait(stored, on_progress=looks.append)
        await watching(here)
        await until(lambda: looks and looks[-1].reason == "ChildMissing")
        before = len(looks)
        for resource in (SDEPS, CHILDREN):
            here.faults.add(Fault(verb="watch", resource=resource, status=410))
        here.server.close_watches()
        await watching(here, 3)
        assert len(looks) == before
        waiting.cancel()


@in_loop
async def test_half_open_connection_is_noticed():
    async with cluster() as here:
        here.faults.add(Fault(verb="watch", resource=SDEPS, stall=60.0))
        stored = await here.deploy()
        waiting = here.wait(stored)
        await watching(here)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY
        assert here.count("watch", SDEPS) == 2


@in_loop
async def test_bookmarks_keep_a_quiet_watch_alive():
    async with cluster(bookmark_seconds=0.1) as here:
        waiting = here.wait(await here.deploy())
        await watching(here)
        await asyncio.sleep(3 * QUICK.idle)
        assert (here.count("watch", SDEPS), here.count("watch", CHILDREN)) == (1, 1)
        waiting.cancel()


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=503), Fault(drop="before"), Fault(drop="after")]
)
@pytest.mark.parametrize("verb", ["list", "watch"])
def test_servers_trouble_is_waited_out(fault: Fault, verb: str):
    @in_loop
    async def scenario() -> None:
        async with cluster() as here:
            for resource in (SDEPS, CHILDREN):
                here.faults.add(
                    Fault(**(fault.to_json() | {"verb": verb, "resource": resource, "count": 3, "hits": 0}))
                )
            stored = await here.deploy()
            waiting = here.wait(stored)
            await watching(here)
            await here.finish(stored)
            assert (await waiting).ending is Ending.READY

    scenario()


@in_loop
async def test_the_server_says_when_to_come_back():
    async with cluster() as here:
        here.faults.add(Fault(verb="list", resource=SDEPS, status=429, retry_after=1))
        stored = await here.deploy()
        await here.finish(stored)
        began = time.monotonic()
        assert (await here.wait(stored)).ending is Ending.READY
        assert time.monotonic() - began >= 1.0
        assert here.count("list", SDEPS) == 2


@in_loop
async def test_without_the_right_to_watch_there_is_one_list_per_interval():
    async with cluster(deny=[Deny(verb="watch")]) as here:
        stored = [await here.deploy(f"m{number}") for number in range(10)]
        began = time.monotonic()
        waits = [here.wait(one) for one in stored]
        await until(lambda: here.count("list", SDEPS) >= 3)
        for one in stored:
            await here.finish(one)
        assert set(await all_of(*waits)) == {"ready"}
        rounds = (time.monotonic() - began) / (QUICK.poll * 0.9)
        assert here.count("list", SDEPS) <= rounds + 2
        assert here.count("watch", SDEPS) == 1


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
async def test_refusal_that_passes_is_waited_out():
    async with cluster() as here:
        here.faults.add(Fault(verb="list", resource=SDEPS, status=403, count=1))
        stored = await here.deploy()
        await here.finish(stored)
        assert (await here.wait(stored)).ending is Ending.READY


@in_loop
async def test_rotated_credentials_are_read_again():
    async with cluster(tokens={"old": "me", "admin": "admin"}) as here:
        here.token = "old"
        stored = await here.deploy()
        waiting = here.wait(stored)
        await watching(here)
        here.server.authorizer.tokens = {"new": "me", "admin": "admin"}
        here.token = "new"
        here.server.close_watches()
        await watching(here, 2)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY
        assert (here.count("list", SDEPS), here.count("list", CHILDREN)) == (1, 1)


@in_loop
async def test_deleted_and_made_anew_is_told_apart_from_ours():
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
async def test_without_the_right_to_read_pods_the_wait_goes_on():
    policy = FailurePolicy(suspect_after=0.05)
    async with cluster(deny=[Deny(resource="pods")]) as here:
        stored = await here.deploy()
        waiting = here.wait(stored, policy=policy)
        await here.roll(stored, available=0)
        await until(lambda: here.count("list", "pods") == 1)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY


@in_loop
async def test_failed_that_lasts_is_told_without_any_event():
    async with cluster() as here:
        stored = await here.deploy()
        waiting = here.wait(stored, policy=FailurePolicy(failed_grace=0.3))
        await here.say(stored, "Failed", "odd")
        outcome = await waiting
        assert (outcome.ending, outcome.reason) == (Ending.FAILED, "OperatorReportsFailed")


@in_loop
async def test_subscription_shows_nothing_before_everything_has_been_read():
    async with cluster() as here:
        here.faults.add(Fault(verb="list", resource=CHILDREN, delay=0.2))
        await here.deploy()
        async with subscribe(here.access, "default", "iris", tuning=QUICK) as subscription:
            await until(lambda: here.count("list", SDEPS) == 1)
            assert subscription.snapshot() is None
            await subscription.changed(5.0)
            seen = subscription.snapshot()
            assert seen is not None
            assert seen.deployment is not None
            assert seen.children == []


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


def test_expectation_is_that_of_the_write():
    assert Expectation.of({"metadata": {"uid": "u", "generation": 1}, "spec": {}}).status
