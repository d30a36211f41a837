"""The validating webhook of Seldon Core, as a client meets it."""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver import ApiServer
from tests.integration.local.apiserver.rest import Rest, seldon_deployment

WEBHOOK = 'admission webhook "v1.vseldondeployment.kb.io" denied the request: '


def test_a_graph_without_a_container_is_denied(local: Rest) -> None:
    body = seldon_deployment("model", predictors=[{"name": "p", "graph": {"name": "c", "type": "MODEL"}}])
    answer = local.post(local.sdep(), body)
    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.message.startswith(
        f'{WEBHOOK}SeldonDeployment.machinelearing.seldon.io "" is invalid: spec.predictors[0].graph: '
        'Invalid value: "c": Can\'t find container for Predictive Unit'
    )
    assert answer.body["details"]["kind"] == "SeldonDeployment"
    assert answer.causes[0] == ("spec.predictors[0].graph", "FieldValueInvalid")
    assert local.get(local.sdep("model")).code == 404


def test_updates_and_applies_are_checked_as_well(local: Rest) -> None:
    local.post(local.sdep(), seldon_deployment("model")).ok()
    bad = seldon_deployment("model", predictors=[])
    assert local.merge(local.sdep("model"), {"spec": bad["spec"]}).message.startswith(WEBHOOK)
    assert local.apply(local.sdep("model"), bad, manager="m", force="true").message.startswith(WEBHOOK)
    dry = local.apply(local.sdep("new"), bad | {"metadata": {"name": "new"}}, manager="m", dryRun="All")
    assert dry.message.startswith(WEBHOOK)


def test_status_and_scale_are_not(local: Rest, local_api: ApiServer) -> None:
    local_api.admission.enabled = False
    local.post(local.sdep(), seldon_deployment("model", predictors=[])).ok()
    local_api.admission.enabled = True
    assert local.merge(local.sdep("model", "status"), {"status": {"state": "Failed"}}).code == 200
    assert local.merge(local.sdep("model", "scale"), {"spec": {"replicas": 2}}).code == 200
    assert local.merge(local.sdep("model"), {"spec": {"replicas": 3}}).code == 422


def test_old_versions_are_checked_as_well(local: Rest) -> None:
    body = seldon_deployment("model", predictors=[]) | {"apiVersion": "machinelearning.seldon.io/v1alpha2"}
    path = local.path("/apis/machinelearning.seldon.io/v1alpha2", "seldondeployments")
    assert "Graph contains no predictors" in local.post(path, body).message


def test_the_schema_speaks_first(local: Rest) -> None:
    answer = local.post(local.sdep(), seldon_deployment("model", predictors=[{"name": "p"}]))
    assert answer.causes == [("spec.predictors[0].graph", "FieldValueRequired")]
