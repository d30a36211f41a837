"""Merge patch, JSON patch and strategic merge patch."""

from __future__ import annotations

from tests.integration.local.apiserver.rest import (
    APPS,
    CORE,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Rest,
    deployment,
    secret,
    seldon_deployment,
)


def test_a_merge_patch_sets_replaces_and_deletes(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model", metadata={"labels": {"old": "1", "kept": "1"}})).ok()
    change = {"metadata": {"labels": {"old": None, "new": "1"}}, "spec": {"replicas": 2, "predictors": []}}
    patched = api.merge(api.sdep("model"), change).ok().body
    assert patched["metadata"]["labels"] == {"kept": "1", "new": "1"}
    assert patched["spec"] == {"replicas": 2, "predictors": []}


def test_a_resource_version_in_a_patch_is_a_precondition(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    fresh = {"metadata": {"resourceVersion": created.revision}, "spec": {"replicas": 2}}
    assert api.merge(api.sdep("model"), fresh).code == 200
    stale = api.merge(api.sdep("model"), fresh | {"spec": {"replicas": 3}})
    assert (stale.code, stale.reason) == (409, "Conflict")


def test_a_patch_cannot_change_identity(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    renamed = api.merge(api.sdep("model"), {"metadata": {"name": "other"}})
    assert renamed.code == 400
    other_uid = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}
    assert "field is immutable" in api.merge(api.sdep("model"), other_uid).message
    api.merge(api.sdep("model"), {"metadata": {"generation": 99, "creationTimestamp": None}}).ok()
    read = api.get(api.sdep("model")).ok()
    assert read.metadata["generation"] == 1
    assert read.metadata["creationTimestamp"]


def test_nothing_is_patched_into_being(api: Rest) -> None:
    answer = api.merge(api.sdep("nobody"), {"spec": {}})
    assert (answer.code, answer.reason) == (404, "NotFound")


def test_a_json_patch_runs_its_operations_in_order(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    operations = [
        {"op": "add", "path": "/spec/replicas", "value": 1},
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
        {"op": "copy", "from": "/spec/predictors/0", "path": "/spec/predictors/-"},
        {"op": "replace", "path": "/spec/predictors/1/name", "value": "second"},
    ]
    patched = api.send("PATCH", api.sdep("model"), operations, kind=JSON_PATCH).ok().body["spec"]
    assert patched["replicas"] == 2
    assert [predictor["name"] for predictor in patched["predictors"]] == ["default", "second"]


def test_a_json_patch_that_does_not_fit_changes_nothing(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    for operation in (
        {"op": "test", "path": "/spec/predictors/0/name", "value": "other"},
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "shuffle", "path": "/spec"},
    ):
        operations = [{"op": "add", "path": "/spec/replicas", "value": 7}, operation]
        answer = api.send("PATCH", api.sdep("model"), operations, kind=JSON_PATCH)
        assert (answer.code, answer.reason) == (422, "Invalid")
        assert answer.message == "the server rejected our request due to an error in our request"
    assert api.get(api.sdep("model")).revision == created.revision


def test_patches_of_unknown_kinds_are_refused(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    for kind in (STRATEGIC, "application/json"):
        answer = api.send("PATCH", api.sdep("model"), {"spec": {}}, kind=kind)
        assert (answer.code, answer.reason) == (415, "UnsupportedMediaType")
        assert "application/apply-patch+yaml" in answer.message


def test_text_that_is_no_patch_is_refused(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    assert api.send("PATCH", api.sdep("model"), "{", kind=MERGE).code == 400
    assert api.send("PATCH", api.sdep("model"), "[]", kind=MERGE).code == 400
    assert api.send("PATCH", api.sdep("model"), "{}", kind=JSON_PATCH).code == 400


def test_force_belongs_to_applies_only(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    answer = api.merge(api.sdep("model"), {"spec": {}}, force="true")
    assert (answer.code, answer.causes) == (422, [("force", "FieldValueForbidden")])


def test_a_strategic_patch_merges_list_items_by_their_keys(api: Rest) -> None:
    path = api.path(APPS, "deployments", "d")
    body = deployment("d")
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    api.post(api.path(APPS, "deployments"), body).ok()

    def containers(patch: list[object]) -> list[dict[str, object]]:
        change = {"spec": {"template": {"spec": {"containers": patch}}}}
        answer = api.send("PATCH", path, change, kind=STRATEGIC).ok()
        listed: list[dict[str, object]] = answer.body["spec"]["template"]["spec"]["containers"]
        return listed

    env = [{"name": "B", "value": "2"}, {"name": "C", "value": "2"}, {"name": "A", "$patch": "delete"}]
    merged = containers([{"name": "main", "env": env}])
    assert merged[0]["image"] == "image:1"
    by_name = {entry["name"]: entry["value"] for entry in merged[0]["env"]}  # type: ignore[attr-defined]
    assert by_name == {"B": "2", "C": "2"}
    two = containers([{"name": "side", "image": "side:1"}])
    assert {entry["name"] for entry in two} == {"main", "side"}
    assert [entry["name"] for entry in containers([{"name": "main", "$patch": "delete"}])] == ["side"]


def test_a_strategic_patch_follows_its_directives(api: Rest) -> None:
    api.post(api.path(APPS, "deployments"), deployment("d")).ok()
    path = api.path(APPS, "deployments", "d")
    change = {
        "metadata": {"annotations": {"a": "1"}, "finalizers": ["example.com/a", "example.com/b"]},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "first", "image": "x"}],
                    "$setElementOrder/containers": [{"name": "main"}, {"name": "first"}],
                }
            }
        },
    }
    patched = api.send("PATCH", path, change, kind=STRATEGIC).ok().body
    assert [c["name"] for c in patched["spec"]["template"]["spec"]["containers"]] == ["main", "first"]
    fewer = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    assert api.send("PATCH", path, fewer, kind=STRATEGIC).ok().metadata["finalizers"] == ["example.com/b"]
    api.merge(path, {"metadata": {"finalizers": None}}).ok()


def test_secrets_keep_base64_and_move_plain_text(api: Rest) -> None:
    path = api.path(CORE, "secrets", "s")
    created = api.post(api.path(CORE, "secrets"), secret("s", stringData={"a": "x"}, data={"b": "eQ=="})).ok()
    assert created.body["data"] == {"a": "eA==", "b": "eQ=="}
    assert created.body["type"] == "Opaque"
    assert "stringData" not in created.body
    assert api.merge(path, {"data": {"a": None}}).ok().body["data"] == {"b": "eQ=="}
    bad = api.post(api.path(CORE, "secrets"), secret("t", data={"a": "no base64!"}))
    assert (bad.code, bad.reason) == (400, "BadRequest")
    assert "illegal base64 data" in bad.message
    assert api.merge(path, {"type": "example.com/other"}).causes == [("type", "FieldValueInvalid")]


def test_an_immutable_secret_keeps_its_data(api: Rest) -> None:
    path = api.path(CORE, "secrets", "s")
    api.post(api.path(CORE, "secrets"), secret("s", data={"a": "eA=="}, immutable=True)).ok()
    assert api.merge(path, {"data": {"a": "eQ=="}}).causes == [("data", "FieldValueForbidden")]
    assert api.merge(path, {"immutable": False}).causes == [("immutable", "FieldValueForbidden")]
    assert api.merge(path, {"metadata": {"labels": {"a": "b"}}}).code == 200
