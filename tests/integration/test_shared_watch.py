from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.outcome import Ending
from airflow_provider_seldon.kube.watch import informer_factory
from airflow_provider_seldon.kube.watch.informer_factory import subscribe
from airflow_provider_seldon.local.apiserver.access.authorization import Deny
from airflow_provider_seldon.local.faults import Fault
from tests.integration.api_server import (
    CHILDREN,
    QUICK,
    SDEPS,
    all_of,
    cluster,
    in_loop,
    until,
    watching,
)


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
        assert len([task for task in asyncio.all_tasks() if "SharedInformer" in repr(task)]) == 2
        waits[1].cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if "SharedInformer" in repr(task)] == []
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
        assert len(informer_factory._BY_LOOP[asyncio.get_running_loop()]._sessions) == 1
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
        waiting = here.wait(stored, tuning=replace(QUICK, idle=0.5))
        await watching(here)
        await here.finish(stored)
        assert (await waiting).ending is Ending.READY
        assert here.count("watch", SDEPS) >= 2


@in_loop
async def test_bookmarks_keep_a_quiet_watch_alive():
    async with cluster(bookmark_seconds=0.1) as here:
        waiting = here.wait(await here.deploy(), tuning=replace(QUICK, idle=1.0))
        await watching(here)
        await asyncio.sleep(2.0)
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
