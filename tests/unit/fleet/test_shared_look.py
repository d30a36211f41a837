"""However many users open the fleet page, the cluster is read once, and no request waits for a cluster that hangs."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_seldon.fleet.shared_look import SharedLook


def test_many_who_look_at_once_share_one_look() -> None:
    looks: list[int] = []
    go = threading.Event()

    def look() -> int:
        looks.append(1)
        go.wait(10)
        return len(looks)

    shared = SharedLook(look, interval=60.0)
    seen: list[int | None] = []
    threads = [threading.Thread(target=lambda: seen.append(shared.get(patience=10).value)) for _ in range(20)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert (seen, looks) == ([1] * 20, [1])


def test_what_is_old_is_shown_while_the_next_look_is_under_way() -> None:
    go, second = threading.Event(), threading.Event()
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        if len(looks) > 1:
            second.set()
            go.wait(10)
        return len(looks)

    shared = SharedLook(look, interval=0.0)
    assert shared.get(patience=10).value == 1
    seen = shared.get(patience=10)
    assert second.wait(10)
    assert seen.value == 1, "without waiting for the next"
    go.set()


def test_who_comes_after_a_long_time_waits_for_a_new_look() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    shared = SharedLook(look, interval=0.0, old=0.0)
    assert [shared.get(patience=10).value for _ in range(3)] == [1, 2, 3]


def test_a_look_that_fails_is_reported_and_keeps_the_last_result() -> None:
    looks = iter([1, ValueError("no")])

    def look() -> int:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    shared = SharedLook(look, interval=0.0)
    assert shared.get(patience=10).value == 1
    shared.get()
    deadline = threading.Event()
    for _ in range(200):
        seen = shared.get()
        if seen.error:
            break
        deadline.wait(0.02)
    assert seen.value == 1


def test_no_request_waits_longer_than_its_limit_for_a_cluster_that_hangs() -> None:
    go = threading.Event()
    shared = SharedLook(lambda: go.wait(30), interval=0.0)
    seen = shared.get(patience=0.05)
    assert seen.value is None
    assert seen.waiting >= 0.05
    # Who comes later does not wait as well: threads that wait are missing elsewhere in the API server.
    begun = time.monotonic()
    for _ in range(100):
        shared.get(patience=0.05)
    assert time.monotonic() - begun < 2.5
    go.set()


@pytest.mark.parametrize("interval", [60.0])
def test_a_failing_cluster_is_not_asked_more_often_than_one_that_answers(interval: float) -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        raise ValueError("no")

    shared = SharedLook(look, interval=interval)
    assert {shared.get(patience=10).error for _ in range(5)} == {"no"}
    assert len(looks) == 1
