from __future__ import annotations

import hashlib
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.core.children.expected import Role, expected_children
from tests.unit.core import corpus
from tests.unit.core.cluster_objects import sdep, spec


def names(content: dict[str, Any], name: str = "iris") -> list[str]:
    return [child.name for child in expected_children(sdep(content, name=name))]


def component(*containers: str, **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": one} for one in containers]}, **more}


def test_containers_are_joined_in_the_name():
    assert names(spec(componentSpecs=[component("a", "b"), component("c")])) == [
        "iris-default-0-a-b",
        "iris-default-1-c",
    ]


def test_component_name_replaces_the_containers():
    assert names(spec(componentSpecs=[component("a", metadata={"name": "x"})])) == ["iris-default-0-x"]


def test_server_without_a_container_is_added_to_the_first_component():
    graph = {
        "name": "model",
        "implementation": "SKLEARN_SERVER",
        "children": [{"name": "b", "implementation": "MINE"}],
    }
    assert names(spec(graph=graph, componentSpecs=None)) == ["iris-default-0-model-b"]
    assert names(spec(graph=graph, componentSpecs=[component("a"), component("b")])) == [
        "iris-default-0-a-model",
        "iris-default-1-b",
    ]


def test_built_in_units_and_empty_components_have_no_pods():
    graph = {"name": "ab", "implementation": "RANDOM_ABTEST", "children": [{"name": "a"}, {"name": "b"}]}
    assert names(spec(graph=graph, componentSpecs=[component(), component("a", "b")])) == [
        "iris-default-1-a-b"
    ]


def test_name_of_63_characters_stays_and_of_64_is_hashed():
    fits = "x" * (63 - len("iris-default-0-"))
    assert names(spec(componentSpecs=[component(fits)])) == [f"iris-default-0-{fits}"]
    long = f"iris-default-0-{fits}x"
    digest = hashlib.md5(long.encode(), usedforsecurity=False).hexdigest()
    (child,) = expected_children(sdep(spec(componentSpecs=[component(f"{fits}x")])))
    assert child.names == (f"seldon-{digest}", f"iris-{digest}")


def test_prefixed_hash_that_does_not_fit_is_not_expected():
    (child,) = expected_children(sdep(spec(), name="i" * 50))
    assert [name.startswith("seldon-") for name in child.names] == [True]


def test_roles_of_engine_component_and_explainer():
    content = spec(explainer={"type": "AnchorTabular"}) | {
        "annotations": {"seldon.io/engine-separate-pod": "True"}
    }
    found = {child.role: child.name for child in expected_children(sdep(content))}
    assert found == {
        Role.ENGINE: "iris-default-svc-orch",
        Role.COMPONENT: "iris-default-0-classifier",
        Role.EXPLAINER: "iris-default-explainer",
    }


def test_no_engine_wins_over_a_separate_engine():
    content = spec(annotations={"seldon.io/no-engine": "true"})
    content["annotations"] = {"seldon.io/engine-separate-pod": "true"}
    assert names(content) == ["iris-default-0-classifier"]


def test_explainer_without_a_type_is_none():
    assert names(spec(explainer={"modelUri": "gs://a"})) == ["iris-default-0-classifier"]


@pytest.mark.parametrize(
    ("general", "predictor", "own", "wanted"),
    [
        (None, None, None, None),
        (2, None, None, 2),
        (2, 3, None, 3),
        (2, 3, 4, 4),
        (2, 0, None, 0),
        (None, None, 0, 0),
    ],
)
def test_the_most_specific_replicas_win(
    general: int | None, predictor: int | None, own: int | None, wanted: int | None
):
    part = component("a") | ({} if own is None else {"replicas": own})
    content = spec(componentSpecs=[part], replicas=predictor)
    if general is not None:
        content["replicas"] = general
    assert [child.replicas for child in expected_children(sdep(content))] == [wanted]


@pytest.mark.parametrize("scaler", [{"hpaSpec": {"maxReplicas": 3}}, {"kedaSpec": {"triggers": []}}])
def test_an_autoscaler_takes_the_replicas_away(scaler: dict[str, Any]):
    (child,) = expected_children(
        sdep(spec(componentSpecs=[component("a", replicas=2, **scaler)], replicas=3))
    )
    assert (child.replicas, child.autoscaled) == (None, True)


@pytest.mark.parametrize(
    ("keda", "sleeps"),
    [
        ({"triggers": [{}]}, True),
        ({"minReplicaCount": 1, "triggers": [{}]}, False),
        ({"minReplicaCount": 2, "idleReplicaCount": 0}, True),
    ],
)
def test_only_keda_with_a_minimum_of_zero_may_sleep(keda: dict[str, Any], sleeps: bool):
    (child,) = expected_children(sdep(spec(componentSpecs=[component("a", kedaSpec=keda)])))
    assert child.may_sleep is sleeps


@pytest.mark.parametrize(
    ("replicas", "explainer", "wanted"),
    [(None, None, None), (None, 2, 2), (3, 2, 2), (0, 2, 0), (3, None, None)],
)
def test_explainer_has_its_own_replicas_unless_the_predictor_sleeps(
    replicas: int | None, explainer: int | None, wanted: int | None
):
    own = {"type": "AnchorTabular"} | ({} if explainer is None else {"replicas": explainer})
    children = expected_children(sdep(spec(explainer=own, replicas=replicas)))
    assert children[1].replicas == wanted


def test_engine_has_its_own_replicas_or_as_many_as_the_operator_likes():
    content = spec(replicas=3) | {"annotations": {"seldon.io/engine-separate-pod": "true"}}
    engine = expected_children(sdep(content))[0]
    assert (engine.replicas, engine.may_sleep) == (None, False)
    content["predictors"][0]["svcOrchSpec"] = {"replicas": 2}
    assert expected_children(sdep(content))[0].replicas == 2
    content = spec(replicas=0) | {"annotations": {"seldon.io/engine-separate-pod": "true"}}
    assert expected_children(sdep(content))[0].may_sleep


@pytest.mark.skipif(corpus.directory() is None, reason="no corpus on this machine")
def test_names_are_those_that_real_operators_gave():
    files = corpus.files("status/*.yaml")
    assert files
    for file in files:
        deployment = yaml.safe_load(file.read_text())
        expected = {child.name for child in expected_children(deployment)}
        assert expected == set(deployment["status"]["deploymentStatus"])
