from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_MODEL_NAME,
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    LABEL_MANAGED_BY,
    LABEL_MODEL_NAME,
    MANAGER,
)
from airflow_provider_seldon.core.identity.identity import Identity, is_managed
from airflow_provider_seldon.core.identity.label_value import label_value
from airflow_provider_seldon.core.identity.revision import deployment_revision, revision, stamped, unstamped
from airflow_provider_seldon.core.resource.seldon_deployment import KIND, SeldonDeployment

LEGAL_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
IRIS = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__1")


def deployment(labels: Any = None, annotations: Any = None) -> SeldonDeployment:
    metadata = {"name": "x", "labels": labels, "annotations": annotations}
    return SeldonDeployment.from_manifest({"kind": KIND, "metadata": metadata})


def made_by(identity: Identity) -> SeldonDeployment:
    return deployment(identity.labels(), identity.annotations())


@pytest.mark.parametrize("text", ["", "a", "my_dag.v1", "A-b", "x" * 63])
def test_a_legal_label_value_is_not_changed(text: str) -> None:
    assert label_value(text) == text


@given(st.text())
def test_every_label_value_is_legal_and_fits(text: str) -> None:
    value = label_value(text)
    assert LEGAL_LABEL.fullmatch(value)
    assert len(value) <= 63
    assert bool(value) == bool(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a" * 63 + "-EU", "a" * 63 + "-US"),
        ("a/b", "a_b"),
        ("a b", "a/b"),
        ("///", "//"),
        ("-a", "a"),
        ("é", "è"),
    ],
)
def test_different_originals_get_different_label_values(one: str, other: str) -> None:
    assert label_value(one) != label_value(other)


def test_labels_and_annotations_leave_out_what_is_empty() -> None:
    assert Identity(model_name="iris").labels() == {LABEL_MANAGED_BY: MANAGER, LABEL_MODEL_NAME: "iris"}
    assert Identity(model_name="iris").annotations() == {ANNOTATION_MODEL_NAME: "iris"}
    assert Identity().annotations() == {}


def test_annotations_hold_what_labels_cannot() -> None:
    long = Identity(
        dag_id="a/" + "b" * 100, task_id="t", model_name="m", run_id="scheduled__2024-01-01T00:00:00+00:00"
    )
    assert long.annotations()[ANNOTATION_DAG_ID] == "a/" + "b" * 100
    assert long.annotations()[ANNOTATION_RUN_ID] == "scheduled__2024-01-01T00:00:00+00:00"
    assert ANNOTATION_RUN_ID not in long.labels()


def test_the_selector_names_every_label() -> None:
    assert IRIS.selector() == (
        "app.kubernetes.io/managed-by=airflow-provider-seldon,airflow-provider-seldon/dag-id=train,"
        "airflow-provider-seldon/task-id=deploy,airflow-provider-seldon/model-name=iris"
    )


def test_the_next_run_of_the_same_task_finds_its_equivalent() -> None:
    later = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__2")
    assert later.matches(made_by(IRIS))


@pytest.mark.parametrize(
    "other",
    [
        Identity(dag_id="train2", task_id="deploy", model_name="iris"),
        Identity(dag_id="train", task_id="deploy2", model_name="iris"),
        Identity(dag_id="train", task_id="deploy", model_name="iris2"),
        Identity(model_name="iris"),
        Identity(),
    ],
)
def test_other_dags_tasks_and_models_are_not_equivalent(other: Identity) -> None:
    assert not other.matches(made_by(IRIS))
    assert not IRIS.matches(made_by(other))


def test_equal_labels_are_not_enough_for_equivalence() -> None:
    # A dag whose id is what another one's label became.
    original = Identity(dag_id="a/b", task_id="t", model_name="m")
    impostor = Identity(dag_id=label_value("a/b"), task_id="t", model_name="m")
    assert original.selector() == impostor.selector()
    assert not impostor.matches(made_by(original))


@pytest.mark.parametrize(
    ("labels", "managed"),
    [
        ({LABEL_MANAGED_BY: MANAGER}, True),
        ({LABEL_MANAGED_BY: "Helm"}, False),
        ({"app": "zenml"}, False),
        ({}, False),
        (None, False),
        ("not a mapping", False),
    ],
)
def test_only_what_carries_our_label_is_managed(labels: Any, managed: bool) -> None:
    assert is_managed(deployment(labels)) is managed


def test_what_only_copies_our_annotations_is_not_equivalent() -> None:
    assert not IRIS.matches(deployment({}, IRIS.annotations()))


@given(st.text(), st.text(), st.text(), st.booleans())
def test_every_deployment_name_is_legal_and_leaves_room(
    dag_id: str, task_id: str, model_name: str, replace: bool
) -> None:
    identity = Identity(dag_id=dag_id, task_id=task_id, model_name=model_name)
    name = identity.deployment_name(replace=replace)
    assert DNS_1035.fullmatch(name)
    assert len(name) <= 36
    assert len(f"{name}-default-0-classifier") <= 63
    assert len(f"{name}-default-explainer") <= 63
    assert name == identity.deployment_name(replace=replace)


def test_a_replacing_deployment_keeps_its_name_over_runs() -> None:
    later = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="2", map_index=3)
    assert later.deployment_name(replace=True) == IRIS.deployment_name(replace=True)


def test_deployments_that_do_not_replace_differ_by_run_and_map_index() -> None:
    identities = [
        Identity(dag_id="d", task_id="t", model_name="m", run_id=run, map_index=index)
        for run in ("1", "2")
        for index in (-1, 0, 1)
    ]
    names = {identity.deployment_name(replace=False) for identity in identities}
    assert len(names) == 6
    assert identities[0].deployment_name(replace=True) not in names


def test_the_name_tells_where_one_part_ends() -> None:
    one = Identity(dag_id="a", task_id="bc", model_name="m").deployment_name(replace=True)
    assert one != Identity(dag_id="ab", task_id="c", model_name="m").deployment_name(replace=True)


@pytest.mark.parametrize(
    ("model_name", "prefix"),
    [("Iris Model_v2", "iris-model-v2-"), ("2024", "m-2024-"), ("///", "model-"), ("x" * 80, "x" * 25 + "-")],
)
def test_the_name_begins_with_the_models(model_name: str, prefix: str) -> None:
    assert Identity(model_name=model_name).deployment_name(replace=True).startswith(prefix)


PREDICTOR: dict[str, Any] = {
    "name": "default",
    "graph": {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://b/1"},
}


def test_the_revision_is_the_same_everywhere_and_for_ever() -> None:
    # Pinned: another value would restart every model on the first deploy after an upgrade of this provider.
    assert revision(PREDICTOR) == "92c93f5815"
    assert deployment_revision({"spec": {"predictors": [PREDICTOR]}}) == "d7dd22497d"
    assert IRIS.deployment_name(replace=True) == "iris-78066b7479"


def test_the_revision_does_not_depend_on_the_process() -> None:
    code = (
        "import json,sys; from airflow_provider_seldon.core.identity.revision import revision;"
        "print(revision(json.loads(sys.argv[1])))"
    )
    shuffled = json.dumps(dict(reversed(PREDICTOR.items())))
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code, shuffled],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == revision(PREDICTOR)


@pytest.mark.parametrize(
    "change",
    [
        {"traffic": 20},
        {"replicas": 5},
        {"explainer": {"type": "ALE"}},
        {"annotations": {ANNOTATION_REVISION: "x"}},
    ],
)
def test_the_revision_ignores_what_restarts_no_pod(change: dict[str, Any]) -> None:
    assert revision({**PREDICTOR, **change}) == revision(PREDICTOR)


@pytest.mark.parametrize(
    "change",
    [
        {"graph": {**PREDICTOR["graph"], "modelUri": "s3://b/2"}},
        {"graph": {**PREDICTOR["graph"], "envSecretRefName": "rotated"}},
        {"annotations": {"a": "b"}},
        {"componentSpecs": [{"replicas": 2}]},
        {"shadow": True},
        {"name": "other"},
    ],
)
def test_the_revision_changes_with_the_content(change: dict[str, Any]) -> None:
    assert revision({**PREDICTOR, **change}) != revision(PREDICTOR)


def test_a_stamp_can_be_read_back_and_taken_off() -> None:
    for predictor in (PREDICTOR, {**PREDICTOR, "annotations": {"a": "b"}}):
        marked = stamped(predictor)
        assert marked["annotations"][ANNOTATION_REVISION] == revision(marked) == revision(predictor)
        assert unstamped(marked) == predictor
        assert stamped(marked) == marked


def test_annotations_that_are_no_mapping_are_left_for_validation_to_report() -> None:
    odd = {**PREDICTOR, "annotations": ["x"]}
    assert stamped(odd) == odd


def test_the_deployments_revision_sees_what_the_predictors_does_not() -> None:
    base = deployment_revision({"spec": {"predictors": [PREDICTOR]}})
    for change in ({"traffic": 20}, {"replicas": 5}, {"explainer": {"type": "ALE"}}):
        assert deployment_revision({"spec": {"predictors": [{**PREDICTOR, **change}]}}) != base
    assert deployment_revision({"spec": {"predictors": [PREDICTOR], "protocol": "v2"}}) != base
    labelled = {"metadata": {"labels": {"team": "a"}}, "spec": {"predictors": [PREDICTOR]}}
    assert deployment_revision(labelled) != base


def test_the_deployments_revision_does_not_see_stamps_and_runs() -> None:
    plain = {"spec": {"predictors": [PREDICTOR]}}
    marked = {
        "metadata": {"labels": IRIS.labels(), "annotations": IRIS.annotations()},
        "spec": {"predictors": [stamped(PREDICTOR)]},
    }
    assert deployment_revision(marked) == deployment_revision(plain)
