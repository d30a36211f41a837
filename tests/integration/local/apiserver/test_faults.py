"""Faults to order, the request log, and what they look like to a client."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.faults import Fault
from tests.integration.local.apiserver.rest import APPS, Rest, deployment, seldon_deployment


def test_a_status_is_answered_as_often_as_ordered(local: Rest, local_api: ApiServer) -> None:
    fault = local_api.faults.add(Fault(verb="get", resource="seldondeployments", status=503, count=2))
    codes = [local.get(local.sdep("nobody")).code for _ in range(3)]
    assert codes == [503, 503, 404]
    assert fault.hits == 2
    assert local_api.faults.active() == []


def test_the_answer_is_a_kubernetes_status(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(status=429, retry_after=3, message="slow down"))
    answer = local.get(local.sdep())
    assert (answer.code, answer.reason, answer.message) == (429, "TooManyRequests", "slow down")
    assert answer.headers["Retry-After"] == "3"
    assert answer.body["details"]["retryAfterSeconds"] == 3


def test_some_requests_may_pass_first(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(verb="list", status=500, skip=1))
    assert [local.get(local.sdep()).code for _ in range(3)] == [200, 500, 200]


def test_faults_strike_only_what_they_name(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(verb="create", resource="seldondeployments", name="*", status=500, count=None))
    assert local.post(local.path(APPS, "deployments"), deployment("d")).code == 201
    assert local.apply(local.sdep("m"), seldon_deployment("m"), manager="m").code == 201
    assert local.post(local.sdep(), seldon_deployment("n")).code == 500
    local_api.faults.clear()
    local_api.faults.add(Fault(verb="get", name="other", status=500))
    assert local.get(local.sdep("m")).code == 200
    assert local.get(local.sdep("other")).code == 500


def test_applies_are_distinguished_from_patches(local: Rest, local_api: ApiServer) -> None:
    local.post(local.sdep(), seldon_deployment("m")).ok()
    local_api.faults.add(Fault(verb="apply", status=500))
    assert local.merge(local.sdep("m"), {"spec": {}}).code == 200
    assert local.apply(local.sdep("m"), seldon_deployment("m"), manager="x").code == 500
    local_api.faults.add(Fault(verb="patch", status=500, count=2))
    assert local.merge(local.sdep("m"), {"spec": {}}).code == 500
    assert local.apply(local.sdep("m"), seldon_deployment("m"), manager="x").code == 500


def test_subresources_are_named_as_permissions_name_them(local: Rest, local_api: ApiServer) -> None:
    local.post(local.sdep(), seldon_deployment("m")).ok()
    local_api.faults.add(Fault(resource="seldondeployments/status", status=500))
    assert local.merge(local.sdep("m"), {"spec": {"replicas": 1}}).code == 200
    assert local.merge(local.sdep("m", "status"), {"status": {"state": "Creating"}}).code == 500


def test_a_connection_dropped_before_changes_nothing(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(verb="create", drop="before"))
    with pytest.raises(requests.ConnectionError):
        local.post(local.sdep(), seldon_deployment("m"))
    assert local.get(local.sdep("m")).code == 404


def test_a_connection_dropped_after_has_done_its_work(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(verb="create", drop="after"))
    with pytest.raises(requests.ConnectionError):
        local.post(local.sdep(), seldon_deployment("m"))
    assert local.get(local.sdep("m")).code == 200


def test_an_answer_can_be_late(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(delay=0.3))
    begun = time.monotonic()
    assert local.get(local.sdep()).code == 200
    assert time.monotonic() - begun >= 0.3


def test_an_answer_can_stop_after_its_head(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(stall=0.2))
    with pytest.raises(requests.RequestException):
        local.get(local.sdep())


def test_a_watch_can_be_cut_short(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(verb="watch", close_watch_after=0.2))
    begun = time.monotonic()
    with local.watch(local.sdep(), resourceVersion="1", timeoutSeconds="20") as events:
        assert list(events) == []
    assert 0.2 <= time.monotonic() - begun < 10


def test_all_watches_can_be_closed(local: Rest, local_api: ApiServer) -> None:
    local.post(local.sdep(), seldon_deployment("m")).ok()
    with local.watch(local.sdep()) as events:
        assert next(events)["type"] == "ADDED"
        requests.delete(f"{local.url}/_watches", timeout=10).raise_for_status()
        assert list(events) == []


def test_a_watch_from_a_compacted_version_gets_410(local: Rest, local_api: ApiServer) -> None:
    start = local.get(local.sdep()).revision
    local.post(local.sdep(), seldon_deployment("m")).ok()
    requests.post(f"{local.url}/_compact", timeout=10).raise_for_status()
    with local.watch(local.sdep(), resourceVersion=start) as events:
        told = list(events)
    assert [event["type"] for event in told] == ["ERROR"]
    status: dict[str, Any] = told[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith(f"too old resource version: {start} (")
    with local.watch(local.sdep(), resourceVersion=local.get(local.sdep()).revision) as events:
        local.delete(local.sdep("m")).ok()
        assert next(events)["type"] == "DELETED"


def test_a_page_of_a_compacted_version_offers_to_continue(local: Rest) -> None:
    for number in range(4):
        local.post(local.sdep(), seldon_deployment(f"m{number}")).ok()
    token = local.get(local.sdep(), limit=2).metadata["continue"]
    local.delete(local.sdep("m2")).ok()
    requests.post(f"{local.url}/_compact", timeout=10).raise_for_status()
    late = local.get(local.sdep(), limit=2, **{"continue": token})
    assert (late.code, late.reason) == (410, "Expired")
    assert late.message.startswith("The provided continue parameter is too old")
    rest = local.get(local.sdep(), **{"continue": late.metadata["continue"]}).ok()
    assert rest.names == ["m3"]


def test_history_is_bounded() -> None:
    server = ApiServer(history_limit=3)
    from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL
    from airflow_provider_seldon.local.apiserver.protocol.status import StatusError

    secrets = BY_PLURAL["secrets"]
    for number in range(5):
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"s{number}", "namespace": "x", "uid": f"{number}"},
        }
        server.store.put(secrets, body)
    first = server.store.revision - 5
    with pytest.raises(StatusError, match="too old resource version"):
        server.store.since(secrets, first)
    assert len(server.store.since(secrets, first + 2)) == 3


def test_the_webhook_can_be_down(local: Rest, local_api: ApiServer) -> None:
    local_api.faults.add(Fault(webhook="down"))
    answer = local.post(local.sdep(), seldon_deployment("m"))
    assert (answer.code, answer.reason) == (500, "InternalError")
    assert 'failed calling webhook "v1.vseldondeployment.kb.io"' in answer.message
    assert local.post(local.sdep(), seldon_deployment("m")).code == 201


def test_faults_can_be_ordered_from_another_process(local: Rest) -> None:
    url = f"{local.url}/_faults"
    ordered = requests.post(url, json=[{"verb": "list", "status": 500}], timeout=10)
    assert ordered.json()[0]["count"] == 1
    assert [fault["status"] for fault in requests.get(url, timeout=10).json()] == [500]
    assert local.get(local.sdep()).code == 500
    requests.post(url, json={"status": 500, "count": None}, timeout=10).raise_for_status()
    requests.delete(url, timeout=10).raise_for_status()
    assert local.get(local.sdep()).code == 200
    wrong = requests.post(url, json={"verbs": "get"}, timeout=10)
    assert wrong.status_code == 400
    assert "a fault has no verbs" in wrong.text


def test_requests_are_counted(local: Rest, local_api: ApiServer) -> None:
    local.post(local.sdep(), seldon_deployment("m")).ok()
    local.apply(local.sdep("m"), seldon_deployment("m"), manager="x").ok()
    local.get(local.sdep("nobody"))
    log = local_api.requests
    assert log.count(verb="create", resource="seldondeployments", status=201) == 1
    assert log.count(verb="apply", name="m") == 1
    assert log.count(verb="patch") == 0
    assert log.count(lambda entry: entry.status >= 400) == 1
    assert {entry.user_agent for entry in log.entries()} == {"tester/1.0"}
    seen = requests.get(f"{local.url}/_requests", timeout=10).json()
    assert [entry["verb"] for entry in seen] == ["create", "apply", "get"]
    assert all(entry["seconds"] >= 0 for entry in seen)
    requests.delete(f"{local.url}/_requests", timeout=10).raise_for_status()
    assert log.entries() == []


def test_an_open_watch_is_in_the_log(local: Rest, local_api: ApiServer) -> None:
    local.post(local.sdep(), seldon_deployment("m")).ok()
    with local.watch(local.sdep()) as events:
        next(events)
        (entry,) = local_api.requests.entries(verb="watch")
        assert entry.seconds is None
    for _ in range(500):
        if entry.seconds is not None:
            break
        threading.Event().wait(0.01)
    assert entry.seconds is not None
