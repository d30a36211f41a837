"""Server-side apply: ownership, conflicts, removal, preconditions."""

from __future__ import annotations

from typing import Any

from tests.integration.local.apiserver.rest import (
    APPS,
    CORE,
    Answer,
    Rest,
    deployment,
    secret,
    seldon_deployment,
)

Manifest = dict[str, Any]


def owners(answer: Answer) -> dict[tuple[str, str, str], Manifest]:
    """Return the fields of each manager by (name, operation, subresource)."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in answer.metadata.get("managedFields", [])
    }


def test_an_apply_creates_and_owns_what_it_says(api: Rest) -> None:
    body = seldon_deployment("model", metadata={"labels": {"a": "b"}})
    created = api.apply(api.sdep("model"), body, manager="deployer")
    assert created.code == 201
    assert owners(created) == {
        ("deployer", "Apply", ""): {
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {"f:predictors": {}},
        }
    }
    assert api.apply(api.sdep("model"), body, manager="deployer").code == 200


def test_a_change_of_anothers_field_is_a_conflict_that_names_both(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model", replicas=1), manager="first").ok()
    refused = api.apply(api.sdep("model"), seldon_deployment("model", replicas=2), manager="second")
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "first": .spec.replicas'
    assert refused.body["details"] == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "first"',
                "field": ".spec.replicas",
            }
        ]
    }


def test_several_conflicts_are_listed_by_manager(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model", replicas=1), manager="first").ok()
    api.merge(api.sdep("model"), {"spec": {"protocol": "v2"}}, fieldManager="second").ok()
    body = seldon_deployment("model", replicas=2, protocol="seldon", predictors=[])
    refused = api.apply(api.sdep("model"), body, manager="third")
    assert refused.message == (
        "Apply failed with 3 conflicts: "
        'conflicts with "first":\n- .spec.predictors\n- .spec.replicas\n'
        'conflicts with "second" using machinelearning.seldon.io/v1:\n- .spec.protocol'
    )
    assert {cause[0] for cause in refused.causes} == {".spec.predictors", ".spec.replicas", ".spec.protocol"}


def test_force_takes_the_field_over(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model", replicas=1), manager="first").ok()
    forced = api.apply(
        api.sdep("model"), seldon_deployment("model", replicas=2), manager="second", force="true"
    ).ok()
    assert forced.body["spec"]["replicas"] == 2
    assert owners(forced)[("first", "Apply", "")] == {"f:spec": {"f:predictors": {}}}
    assert "f:replicas" in owners(forced)[("second", "Apply", "")]["f:spec"]


def test_the_same_value_is_owned_together(api: Rest) -> None:
    body = seldon_deployment("model", replicas=1)
    api.apply(api.sdep("model"), body, manager="first").ok()
    shared = api.apply(api.sdep("model"), body, manager="second").ok()
    assert owners(shared)[("first", "Apply", "")] == owners(shared)[("second", "Apply", "")]
    without = seldon_deployment("model")
    kept = api.apply(api.sdep("model"), without, manager="first").ok()
    assert kept.body["spec"]["replicas"] == 1
    gone = api.apply(api.sdep("model"), without, manager="second").ok()
    assert "replicas" not in gone.body["spec"]


def test_what_is_no_longer_applied_goes(api: Rest) -> None:
    labelled = seldon_deployment("model", metadata={"labels": {"a": "1", "b": "1"}}, replicas=1)
    api.apply(api.sdep("model"), labelled, manager="deployer").ok()
    api.merge(api.sdep("model"), {"metadata": {"labels": {"other": "1"}}}, fieldManager="someone").ok()
    body = seldon_deployment("model", metadata={"labels": {"a": "1"}})
    applied = api.apply(api.sdep("model"), body, manager="deployer").ok()
    assert applied.metadata["labels"] == {"a": "1", "other": "1"}
    assert "replicas" not in applied.body["spec"]


def test_predictors_are_one_value(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model"), manager="first").ok()
    two = seldon_deployment("model")
    two["spec"]["predictors"].append(two["spec"]["predictors"][0] | {"name": "canary"})
    refused = api.apply(api.sdep("model"), two, manager="second")
    assert refused.causes == [(".spec.predictors", "FieldManagerConflict")]
    replaced = api.apply(api.sdep("model"), two, manager="first").ok()
    assert [p["name"] for p in replaced.body["spec"]["predictors"]] == ["default", "canary"]


def test_list_items_with_keys_are_owned_one_by_one(api: Rest) -> None:
    path = api.path(APPS, "deployments", "d")

    def body(*containers: Manifest) -> Manifest:
        manifest = deployment("d")
        manifest["spec"]["template"]["spec"]["containers"] = list(containers)
        return manifest

    main = {"name": "main", "image": "image:1", "env": [{"name": "A", "value": "1"}]}
    api.apply(path, body(main), manager="first").ok()
    both = api.apply(path, body({"name": "side", "image": "side:1"}), manager="second").ok()
    assert {c["name"] for c in both.body["spec"]["template"]["spec"]["containers"]} == {"main", "side"}
    refused = api.apply(path, body({"name": "main", "image": "image:2"}), manager="second")
    assert refused.causes == [('.spec.template.spec.containers[name="main"].image', "FieldManagerConflict")]
    alone = api.apply(path, body(main | {"env": []}), manager="first").ok()
    containers = {c["name"]: c for c in alone.body["spec"]["template"]["spec"]["containers"]}
    assert "env" not in containers["main"]
    assert "side" in containers


def test_a_status_is_applied_on_its_own(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model"), manager="deployer").ok()
    status = seldon_deployment("model") | {"status": {"state": "Creating", "replicas": 1}}
    applied = api.apply(api.sdep("model", "status"), status, manager="operator").ok()
    assert owners(applied)[("operator", "Apply", "status")] == {"f:status": {"f:replicas": {}, "f:state": {}}}
    shorter = seldon_deployment("model") | {"status": {"state": "Available"}}
    again = api.apply(api.sdep("model", "status"), shorter, manager="operator").ok()
    assert again.body["status"] == {"state": "Available"}
    assert api.apply(api.sdep("nobody", "status"), status, manager="operator").code in (400, 404)


def test_other_writers_take_over_what_they_change(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model", replicas=1), manager="deployer").ok()
    patched = api.merge(api.sdep("model"), {"spec": {"replicas": 3}}, fieldManager="person").ok()
    assert owners(patched)[("person", "Update", "")] == {"f:spec": {"f:replicas": {}}}
    assert owners(patched)[("deployer", "Apply", "")] == {"f:spec": {"f:predictors": {}}}
    scaled = api.merge(api.sdep("model", "scale"), {"spec": {"replicas": 5}}).ok()
    assert scaled.body["spec"]["replicas"] == 5


def test_a_manager_without_a_name_is_the_user_agent(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    assert list(owners(created)) == [("tester", "Update", "")]


def test_an_apply_needs_a_manager(api: Rest) -> None:
    answer = api.send("PATCH", api.sdep("m"), seldon_deployment("m"), kind="application/apply-patch+yaml")
    assert (answer.code, answer.causes) == (422, [("fieldManager", "FieldValueRequired")])
    assert "is required for apply patch" in answer.message


def test_a_resource_version_in_a_configuration_is_a_lock(api: Rest) -> None:
    created = api.apply(api.sdep("model"), seldon_deployment("model"), manager="m").ok()
    locked = {"resourceVersion": created.revision}
    assert (
        api.apply(
            api.sdep("model"), seldon_deployment("model", metadata=locked, replicas=1), manager="m"
        ).code
        == 200
    )
    stale = api.apply(api.sdep("model"), seldon_deployment("model", metadata=locked, replicas=2), manager="m")
    assert (stale.code, stale.reason) == (409, "Conflict")
    assert "the object has been modified" in stale.message
    assert "causes" not in stale.body["details"]


def test_a_uid_in_a_configuration_never_creates(api: Rest) -> None:
    metadata = {"uid": "00000000-0000-4000-8000-000000000000"}
    answer = api.apply(api.sdep("model"), seldon_deployment("model", metadata=metadata), manager="m")
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert "uid mismatch: the provided object specified uid" in answer.message
    assert api.get(api.sdep("model")).code == 404
    api.post(api.sdep(), seldon_deployment("model")).ok()
    other = api.apply(api.sdep("model"), seldon_deployment("model", metadata=metadata), manager="m")
    assert other.code == 422
    assert "metadata.uid: Invalid value" in other.message


def test_a_configuration_is_of_the_version_in_the_path(api: Rest) -> None:
    body = seldon_deployment("model") | {"apiVersion": "machinelearning.seldon.io/v1alpha2"}
    answer = api.apply(api.sdep("model"), body, manager="m")
    assert answer.code == 400
    assert answer.message == "invalid object type: machinelearning.seldon.io/v1alpha2, Kind=SeldonDeployment"


def test_managed_fields_are_not_applied(api: Rest) -> None:
    body = seldon_deployment("model", metadata={"managedFields": []})
    assert api.apply(api.sdep("model"), body, manager="m").message == "metadata.managedFields must be nil"


def test_untracked_fields_belong_to_a_placeholder(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model", replicas=1)).ok()
    reset = api.merge(api.sdep("model"), {"metadata": {"managedFields": [{}]}}).ok()
    assert "managedFields" not in reset.metadata
    refused = api.apply(api.sdep("model"), seldon_deployment("model", replicas=2), manager="m")
    assert 'conflict with "before-first-apply"' in refused.message


def test_a_dry_run_shows_the_conflict(api: Rest) -> None:
    api.apply(api.sdep("model"), seldon_deployment("model", replicas=1), manager="first").ok()
    body = seldon_deployment("model", replicas=2)
    assert api.apply(api.sdep("model"), body, manager="second", dryRun="All").code == 409
    shown = api.apply(api.sdep("model"), body, manager="second", dryRun="All", force="true").ok()
    assert shown.body["spec"]["replicas"] == 2
    assert api.get(api.sdep("model")).body["spec"]["replicas"] == 1


def test_applied_keys_of_a_secret_go_with_data_but_not_with_string_data(api: Rest) -> None:
    path = api.path(CORE, "secrets", "s")
    api.apply(path, secret("s", data={"a": "eA==", "b": "eA=="}), manager="m").ok()
    assert api.apply(path, secret("s", data={"a": "eA=="}), manager="m").ok().body["data"] == {"a": "eA=="}
    path = api.path(CORE, "secrets", "t")
    api.apply(path, secret("t", stringData={"a": "x", "b": "x"}), manager="m").ok()
    left = api.apply(path, secret("t", stringData={"a": "x"}), manager="m").ok()
    assert left.body["data"] == {"a": "eA==", "b": "eA=="}


def test_items_that_share_a_key_are_owned_as_one(api: Rest) -> None:
    """Seldon's engine has its port twice, under two names."""
    body = deployment("d")
    ports = [{"name": name, "containerPort": 8000} for name in ("http", "metrics")]
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    api.post(api.path(APPS, "deployments"), body).ok()
    (entry,) = api.get(api.path(APPS, "deployments", "d")).metadata["managedFields"]
    containers = entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert containers['k:{"name":"main"}']["f:ports"] == {
        ".": {},
        'k:{"containerPort":8000,"protocol":"TCP"}': {},
    }
