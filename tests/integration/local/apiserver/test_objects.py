"""Objects: what the server fills in, guards and counts."""

from __future__ import annotations

import pytest

from tests.integration.local.apiserver.rest import (
    APPS,
    CORE,
    Rest,
    deployment,
    pod,
    secret,
    seldon_deployment,
)
from tests.unit.local.apiserver.protocol.test_quantities import STORED


def test_a_new_object_has_identity_and_first_generation(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model"))
    assert created.code == 201
    assert created.metadata["generation"] == 1
    assert len(created.metadata["uid"]) == 36
    assert created.metadata["namespace"] == api.namespace
    assert created.metadata["creationTimestamp"].endswith("Z")
    assert int(created.revision) > 0
    assert api.get(api.sdep("model")).body == created.body


def test_the_first_status_of_a_client_is_dropped(api: Rest) -> None:
    body = seldon_deployment("model") | {"status": {"state": "Available"}}
    assert "status" not in api.post(api.sdep(), body).ok().body


def test_a_second_create_reports_that_it_exists(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    again = api.post(api.sdep(), seldon_deployment("model"))
    assert (again.code, again.reason) == (409, "AlreadyExists")
    assert again.message == 'seldondeployments.machinelearning.seldon.io "model" already exists'
    assert again.body["details"] == {
        "name": "model",
        "group": "machinelearning.seldon.io",
        "kind": "seldondeployments",
    }


def test_a_missing_object_is_named(api: Rest) -> None:
    missing = api.get(api.sdep("nobody"))
    assert (missing.code, missing.reason) == (404, "NotFound")
    assert missing.message == 'seldondeployments.machinelearning.seldon.io "nobody" not found'
    assert api.get(api.path(CORE, "pods", "nobody")).message == 'pods "nobody" not found'
    assert api.get(api.path(APPS, "deployments", "x")).message == 'deployments.apps "x" not found'


def test_a_missing_namespace_takes_no_objects(api: Rest) -> None:
    answer = api.post("/api/v1/namespaces/not-there/secrets", secret("s"))
    assert (answer.code, answer.message) == (404, 'namespaces "not-there" not found')
    assert api.get("/api/v1/namespaces/not-there/pods").ok().body["items"] == []


def test_an_unknown_resource_is_no_kubernetes_answer(api: Rest) -> None:
    answer = api.get(api.path("/apis/machinelearning.seldon.io/v1", "models"))
    assert (answer.code, answer.body) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Upper", "a lowercase RFC 1123 subdomain must"),
        ("under_score", "a lowercase RFC 1123 subdomain must"),
    ],
)
def test_a_bad_name_is_refused_with_the_rule(api: Rest, name: str, wrong: str) -> None:
    answer = api.post(api.sdep(), seldon_deployment(name))
    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.causes == [("metadata.name", "FieldValueInvalid")]
    assert wrong in answer.message


def test_service_names_are_short_labels(api: Rest) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x" * 64},
        "spec": {"ports": [{"port": 80}]},
    }
    long = api.post(api.path(CORE, "services"), body)
    assert (long.code, long.causes) == (422, [("metadata.name", "FieldValueInvalid")])
    assert "must be no more than 63 characters" in long.message
    dotted = api.post(api.path(CORE, "services"), body | {"metadata": {"name": "a.b"}})
    assert "a DNS-1035 label must consist of" in dotted.message


def test_label_values_are_checked(api: Rest) -> None:
    body = seldon_deployment("model", metadata={"labels": {"ok": "no spaces allowed"}})
    answer = api.post(api.sdep(), body)
    assert (answer.code, answer.causes) == (422, [("metadata.labels", "FieldValueInvalid")])


def test_a_generated_name_starts_with_its_prefix(api: Rest) -> None:
    body = seldon_deployment("", metadata={"name": "", "generateName": "model-"})
    first, second = (api.post(api.sdep(), body).ok().metadata["name"] for _ in range(2))
    assert first.startswith("model-")
    assert len(first) == len("model-") + 5
    assert first != second


def test_an_old_resource_version_conflicts(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    api.merge(api.sdep("model"), {"spec": {"replicas": 2}}).ok()
    stale = api.put(api.sdep("model"), created.body)
    assert (stale.code, stale.reason) == (409, "Conflict")
    assert stale.message == (
        'Operation cannot be fulfilled on seldondeployments.machinelearning.seldon.io "model": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    assert stale.body["details"]["kind"] == "seldondeployments"


def test_custom_resources_are_not_replaced_blindly(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    answer = api.put(api.sdep("model"), seldon_deployment("model"))
    assert (answer.code, answer.causes) == (422, [("metadata.resourceVersion", "FieldValueInvalid")])
    assert "must be specified for an update" in answer.message


def test_built_in_objects_are(api: Rest) -> None:
    api.post(api.path(CORE, "secrets"), secret("s")).ok()
    replaced = api.put(api.path(CORE, "secrets", "s"), secret("s", data={"a": "eA=="})).ok()
    assert replaced.body["data"] == {"a": "eA=="}


def test_a_replacement_for_another_uid_conflicts(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    body = created.body | {"metadata": created.metadata | {"uid": "00000000-0000-4000-8000-000000000000"}}
    answer = api.put(api.sdep("model"), body)
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert "Precondition failed: UID in precondition" in answer.message


def test_a_resource_version_at_creation_is_an_error(api: Rest) -> None:
    answer = api.post(api.sdep(), seldon_deployment("model", metadata={"resourceVersion": "7"}))
    assert answer.code == 500
    assert answer.message == "resourceVersion should not be set on objects to be created"
    assert answer.reason == ""


def test_the_name_in_the_body_agrees_with_the_path(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    answer = api.put(api.sdep("model"), seldon_deployment("other"))
    assert answer.code == 400
    assert answer.message == "the name of the object (other) does not match the name on the URL (model)"
    elsewhere = seldon_deployment("model", metadata={"namespace": "elsewhere"})
    assert "does not match the namespace sent on the request" in api.post(api.sdep(), elsewhere).message


def test_generation_counts_changes_of_the_specification(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    path = api.sdep("model")

    def generation(body: object, subresource: str = "") -> int:
        answer = api.merge(f"{path}/{subresource}" if subresource else path, body).ok()
        return int(answer.metadata["generation"])

    assert generation({"metadata": {"labels": {"a": "b"}}}) == 1
    assert generation({"spec": {"replicas": 2}}) == 2
    assert generation({"spec": {"replicas": 2}}) == 2
    assert generation({"status": {"state": "Available"}}, "status") == 2
    assert generation({"metadata": {"annotations": {"a": "b"}}}) == 2
    assert generation({"spec": {"replicas": None}}) == 3


def test_annotations_of_deployments_count_as_well(api: Rest) -> None:
    api.post(api.path(APPS, "deployments"), deployment("d")).ok()
    path = api.path(APPS, "deployments", "d")
    assert api.merge(path, {"metadata": {"labels": {"a": "b"}}}).ok().metadata["generation"] == 1
    assert api.merge(path, {"metadata": {"annotations": {"a": "b"}}}).ok().metadata["generation"] == 2


def test_a_write_that_changes_nothing_is_no_write(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    assert api.merge(api.sdep("model"), {"spec": {}}).ok().revision == created.revision
    assert api.put(api.sdep("model"), created.body).ok().revision == created.revision
    first = api.apply(api.sdep("model"), seldon_deployment("model"), manager="m").ok()
    again = api.apply(api.sdep("model"), seldon_deployment("model"), manager="m").ok()
    assert again.revision == first.revision != created.revision


def test_status_and_specification_are_written_apart(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    both = {"spec": {"replicas": 5}, "status": {"state": "Available"}, "metadata": {"labels": {"a": "b"}}}
    as_status = api.merge(api.sdep("model", "status"), both).ok().body
    assert as_status["status"] == {"state": "Available"}
    assert "replicas" not in as_status["spec"]
    assert "labels" not in as_status["metadata"]
    as_object = api.merge(api.sdep("model"), both | {"status": {"state": "Failed"}}).ok().body
    assert as_object["status"] == {"state": "Available"}
    assert as_object["spec"]["replicas"] == 5
    assert as_object["metadata"]["labels"] == {"a": "b"}


def test_a_dry_run_checks_everything_and_stores_nothing(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model"), dryRun="All")
    assert created.code == 201
    assert created.metadata["uid"]
    assert api.get(api.sdep("model")).code == 404
    api.post(api.sdep(), seldon_deployment("model")).ok()
    assert api.post(api.sdep(), seldon_deployment("model"), dryRun="All").code == 409
    assert (
        api.merge(api.sdep("model"), {"spec": {"replicas": 9}}, dryRun="All").ok().body["spec"]["replicas"]
        == 9
    )
    assert "replicas" not in api.get(api.sdep("model")).body["spec"]
    assert api.delete(api.sdep("model"), dryRun="All").code == 200
    assert api.get(api.sdep("model")).code == 200
    assert api.post(api.sdep(), seldon_deployment("x"), dryRun="Some").code == 422


def test_all_versions_show_the_same_objects(api: Rest) -> None:
    old = api.path("/apis/machinelearning.seldon.io/v1alpha2", "seldondeployments")
    body = seldon_deployment("model") | {"apiVersion": "machinelearning.seldon.io/v1alpha2"}
    created = api.post(old, body).ok()
    assert created.body["apiVersion"] == "machinelearning.seldon.io/v1alpha2"
    read = api.get(api.sdep("model")).ok()
    assert read.body["apiVersion"] == "machinelearning.seldon.io/v1"
    assert read.metadata["uid"] == created.metadata["uid"]
    third = api.get(api.path("/apis/machinelearning.seldon.io/v1alpha3", "seldondeployments")).ok()
    assert {item["apiVersion"] for item in third.body["items"]} == {"machinelearning.seldon.io/v1alpha3"}
    wrong = api.post(old, seldon_deployment("other"))
    assert wrong.code == 400
    assert "does not match the expected API version" in wrong.message


def test_another_kind_is_refused(api: Rest) -> None:
    answer = api.post(api.sdep(), seldon_deployment("model") | {"kind": "Pod"})
    assert answer.code == 422
    assert answer.message == (
        'Pod.machinelearning.seldon.io "model" is invalid: kind: Invalid value: "Pod": must be SeldonDeployment'
    )


def test_text_that_is_no_object_is_refused(api: Rest) -> None:
    for text in ("{not json", "[]", ""):
        answer = api.post(api.sdep(), text)
        assert (answer.code, answer.reason) == (400, "BadRequest")
        assert "the object provided is unrecognized (must be of type SeldonDeployment)" in answer.message


def test_yaml_is_understood(api: Rest) -> None:
    text = """
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: from-yaml, annotations: {day: "2026-01-05"}}
spec: {predictors: []}
"""
    created = api.post(api.sdep(), text, kind="application/yaml").ok()
    assert created.metadata["annotations"] == {"day": "2026-01-05"}


def test_deployments_get_their_defaults(api: Rest) -> None:
    spec = api.post(api.path(APPS, "deployments"), deployment("d")).ok().body["spec"]
    assert (spec["replicas"], spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (1, 600, 10)
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    container = spec["template"]["spec"]["containers"][0]
    assert (container["imagePullPolicy"], container["terminationMessagePolicy"]) == ("IfNotPresent", "File")
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_deployment_keeps_its_selector(api: Rest) -> None:
    api.post(api.path(APPS, "deployments"), deployment("d")).ok()
    template = deployment("other")["spec"]["template"]
    change = {"spec": {"selector": {"matchLabels": {"app": "other"}}, "template": template}}
    answer = api.merge(api.path(APPS, "deployments", "d"), change)
    assert (answer.code, answer.causes) == (422, [("spec.selector", "FieldValueInvalid")])
    assert "field is immutable" in answer.message


def test_containers_need_names_and_images(api: Rest) -> None:
    body = deployment("d")
    body["spec"]["template"]["spec"]["containers"] = [{"name": "Bad_Name", "image": "i"}, {"name": "ok"}]
    answer = api.post(api.path(APPS, "deployments"), body)
    where = "spec.template.spec.containers"
    assert answer.code == 422
    assert set(answer.causes) == {
        (f"{where}[0].name", "FieldValueInvalid"),
        (f"{where}[1].image", "FieldValueRequired"),
    }


def test_a_pods_quality_of_service_follows_from_its_specification(api: Rest) -> None:
    assert api.post(api.path(CORE, "pods"), pod("p")).ok().body["status"]["qosClass"] == "BestEffort"
    refused = api.merge(api.path(CORE, "pods", "p", "status"), {"status": {"qosClass": "Burstable"}})
    assert (refused.code, refused.causes) == (422, [("status.qosClass", "FieldValueInvalid")])
    assert refused.message.endswith('status.qosClass: Invalid value: "Burstable": field is immutable')


def test_quantities_are_stored_in_canonical_form(api: Rest) -> None:
    body = pod("p", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}])
    body["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": 2, "memory": "0.1Gi"},
        "requests": {"cpu": "0.0001"},
    }
    api.post(api.path(CORE, "pods"), body).ok()
    spec = api.get(api.path(CORE, "pods", "p")).body["spec"]
    assert spec["containers"][0]["resources"] == {
        "limits": {"cpu": "2", "memory": "107374182400m"},
        "requests": {"cpu": "1m", "memory": "107374182400m"},
    }
    assert spec["volumes"][0]["emptyDir"] == {"sizeLimit": "1Gi"}


@pytest.mark.parametrize(("sent", "stored"), STORED.items())
def test_every_way_to_write_a_quantity(api: Rest, sent: str, stored: str) -> None:
    body = pod("p", volumes=[{"name": "v", "emptyDir": {"sizeLimit": sent}}])
    kept = api.post(api.path(CORE, "pods"), body, dryRun="All").ok().body["spec"]["volumes"][0]["emptyDir"]
    assert kept == {"sizeLimit": stored}
