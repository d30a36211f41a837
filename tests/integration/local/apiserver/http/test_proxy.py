"""Behind the proxy another API server can be tested like the local one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.http.proxy import ApiProxy
from tests.conftest import in_thread
from tests.integration.local.apiserver.reads.test_logs import (  # noqa: F401
    logs,
    test_one_of_several_containers_is_named,
    test_the_only_container_is_meant,
)
from tests.integration.local.apiserver.rest import CORE, SELDON, Rest, pod, seldon_deployment
from tests.integration.local.apiserver.test_access import (  # noqa: F401
    test_reviews_agree_with_what_happens,
    test_rights_may_be_missing_in_one_namespace,
)
from tests.integration.local.apiserver.test_faults import (  # noqa: F401
    test_a_connection_dropped_after_has_done_its_work,
    test_a_connection_dropped_before_changes_nothing,
    test_a_status_is_answered_as_often_as_ordered,
    test_a_watch_can_be_cut_short,
    test_all_watches_can_be_closed,
    test_an_answer_can_be_late,
    test_an_answer_can_stop_after_its_head,
    test_an_open_watch_is_in_the_log,
    test_applies_are_distinguished_from_patches,
    test_faults_strike_only_what_they_name,
    test_requests_are_counted,
    test_the_webhook_can_be_down,
)


@pytest.fixture
def upstream() -> Iterator[ApiServer]:
    """The other API server."""
    with in_thread(ApiServer(tokens=["inner"])) as server:
        yield server


@pytest.fixture
def local_api(upstream: ApiServer) -> Iterator[ApiProxy]:
    """The proxy."""
    with in_thread(ApiProxy(external=ExternalApiServer(url=upstream.url, token="inner"))) as server:
        yield server


@pytest.fixture
def local(local_api: ApiProxy) -> Rest:
    """A client of the proxy."""
    return Rest(local_api.url)


def test_credentials_are_the_proxys_business(local_api: ApiProxy) -> None:
    local_api.authorizer.tokens = {"outer": "me"}
    assert Rest(local_api.url, token="inner").get(f"{CORE}/namespaces").code == 401
    assert Rest(local_api.url, token="outer").get(f"{CORE}/namespaces").names == ["default"]


def test_what_is_no_resource_is_handed_on(local: Rest, upstream: ApiServer) -> None:
    kinds = {resource["kind"] for resource in local.get(SELDON).ok().body["resources"]}
    assert "SeldonDeployment" in kinds
    assert local.get("/version").body["major"] == "1"
    assert local.get("/apis/nobody.example.com/v1/things").code == 404


def test_changes_come_one_by_one(local: Rest) -> None:
    with local.watch(local.sdep()) as events:
        for name in ("one", "two"):
            local.post(local.sdep(), seldon_deployment(name)).ok()
            event = next(events)
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)


def test_warnings_and_refusals_arrive_as_they_are(local: Rest) -> None:
    body = seldon_deployment("m", wrong=1)
    warned = local.post(local.sdep(), body, fieldValidation="Warn").ok()
    assert warned.headers["Warning"] == r'299 - "unknown field \"spec.wrong\""'
    again = local.post(local.sdep(), body, fieldValidation="Ignore")
    assert (again.code, again.reason) == (409, "AlreadyExists")


def test_without_a_log_source_the_request_is_forwarded(local: Rest) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    answer = local.get(local.path(CORE, "pods", "p", "log"))
    assert (answer.code, answer.message) == (
        500,
        "Internal error occurred: no kubelet is connected to this API server",
    )


def test_another_servers_history_cannot_be_compacted(local: Rest) -> None:
    assert requests.post(f"{local.url}/_compact", timeout=10).status_code == 405


def test_a_server_that_does_not_listen_is_unavailable() -> None:
    with in_thread(ApiProxy(external=ExternalApiServer(url="http://127.0.0.1:9"))) as server:
        answer = Rest(server.url).get(f"{CORE}/namespaces")
        assert (answer.code, answer.reason) == (503, "ServiceUnavailable")
        assert requests.get(f"{server.url}/healthz", timeout=10).text == "ok"
