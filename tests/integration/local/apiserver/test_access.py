"""Tokens, rights, and the reviews that tell about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_seldon.local.apiserver import ApiServer, Deny
from airflow_provider_seldon.local.certificates import make_certificates
from tests.conftest import in_thread
from tests.integration.local.apiserver.rest import APPS, CORE, Rest, seldon_deployment

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
def guarded() -> Iterator[ApiServer]:
    """A server that requires one of two tokens, over TLS."""
    certificates = make_certificates("127.0.0.1")
    server = ApiServer(tokens={"jane-token": "jane", "joe-token": "joe"}, tls=certificates.server)
    with in_thread(server):
        yield server


def may(rest: Rest, verb: str, resource: str, *, group: str = "", namespace: str = "default") -> bool:
    """Ask the server whether something is allowed."""
    plural, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "resource": plural, "subresource": subresource, "group": group}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes | {"namespace": namespace}},
    }
    answer = rest.post(REVIEWS, body)
    assert answer.code == 201
    return bool(answer.body["status"]["allowed"])


def test_a_wrong_token_is_unauthorized(guarded: ApiServer) -> None:
    answer = Rest(guarded.url, token="wrong", verify=False).get("/version")
    assert (answer.code, answer.reason, answer.message) == (401, "Unauthorized", "Unauthorized")
    assert answer.body["kind"] == "Status"


def test_without_a_token_one_is_anonymous(guarded: ApiServer) -> None:
    rest = Rest(guarded.url, verify=False)
    assert rest.get("/version").code == 200
    assert rest.get("/readyz").body == "ok"
    answer = rest.get(rest.sdep())
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert 'User "system:anonymous" cannot list resource "seldondeployments"' in answer.message
    assert rest.get("/apis").message == 'forbidden: User "system:anonymous" cannot get path "/apis"'


def test_tokens_can_be_rotated(guarded: ApiServer) -> None:
    rest = Rest(guarded.url, token="jane-token", verify=False)
    assert rest.get(rest.sdep()).code == 200
    guarded.authorizer.tokens["new-token"] = guarded.authorizer.tokens.pop("jane-token")
    assert rest.get(rest.sdep()).code == 401
    rest.token = "new-token"
    assert rest.get(rest.sdep()).code == 200


def test_a_review_names_the_user(guarded: ApiServer) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = Rest(guarded.url, token="joe-token", verify=False).post(path, body)
    assert answer.body["status"]["userInfo"]["username"] == "joe"


def test_a_missing_right_is_named(guarded: ApiServer) -> None:
    guarded.authorizer.deny.append(Deny(verb="list", resource="deployments", group="apps", user="jane"))
    jane = Rest(guarded.url, token="jane-token", verify=False)
    answer = jane.get(jane.path(APPS, "deployments"))
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert answer.message == (
        'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" '
        'in the namespace "default"'
    )
    assert answer.body["details"] == {"group": "apps", "kind": "deployments"}
    joe = Rest(guarded.url, token="joe-token", verify=False)
    assert joe.get(joe.path(APPS, "deployments")).code == 200
    assert jane.get(f"{APPS}/deployments").message.endswith("at the cluster scope")


def test_reviews_agree_with_what_happens(local: Rest, local_api: ApiServer) -> None:
    group = "machinelearning.seldon.io"
    assert may(local, "create", "seldondeployments", group=group)
    local_api.authorizer.deny += [
        Deny(verb="create", resource="seldondeployments", group=group),
        Deny(verb="get", resource="pods/log", group=""),
    ]
    assert not may(local, "create", "seldondeployments", group=group)
    assert local.post(local.sdep(), seldon_deployment("m")).code == 403
    assert may(local, "get", "seldondeployments", group=group)
    assert local.get(local.sdep("m")).code == 404
    assert not may(local, "get", "pods/log")
    assert may(local, "get", "pods")
    assert local.get(local.path(CORE, "pods", "p", "log")).code == 403
    assert local.get(local.path(CORE, "pods", "p")).code == 404


def test_rights_may_be_missing_in_one_namespace(local: Rest, local_api: ApiServer) -> None:
    local_api.authorizer.deny.append(Deny(namespace="default", resource="pods"))
    assert local.get(local.path(CORE, "pods")).code == 403
    assert local.get(f"{CORE}/namespaces/other/pods").code == 200


def test_rules_reviews_list_what_is_left(local: Rest, local_api: ApiServer) -> None:
    local_api.authorizer.deny.append(Deny(verb="delete", resource="secrets"))
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "default"},
    }
    answer = local.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body).ok()
    rules = {rule["resources"][0]: rule["verbs"] for rule in answer.body["status"]["resourceRules"]}
    assert "delete" not in rules["secrets"]
    assert "delete" in rules["configmaps"]


def test_without_the_definition_there_are_no_seldon_deployments(local: Rest, local_api: ApiServer) -> None:
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + (
        "seldondeployments.machinelearning.seldon.io"
    )
    assert local.get(definition).code == 200
    local.post(local.sdep(), seldon_deployment("m")).ok()
    local_api.remove_crd()
    assert local.get(definition).code == 404
    assert local.get(local.sdep()).code == 404
    groups = [group["name"] for group in local.get("/apis").body["groups"]]
    assert "machinelearning.seldon.io" not in groups
    local_api.install_crd()
    assert local.get(local.sdep()).ok().body["items"] == []
