"""Changes that no stamp shows: what the operator makes of a spec, and children that are to go."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.revision import stamped
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.stabilization import History
from airflow_provider_seldon.local.controllers.children.components import build

UID = "1"
EXPLAINER: dict[str, Any] = {
    "type": "AnchorTabular",
    "replicas": 1,
    "modelUri": "gs://m/explainer",
    "config": {"threshold": "1"},
    "containerSpec": {"name": "ex", "image": "ex:1", "env": [{"name": "A", "value": "1"}]},
}
GRAPH = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://m/1"}


def spec(explainer: dict[str, Any] | None = EXPLAINER, **more: Any) -> dict[str, Any]:
    main: dict[str, Any] = {"name": "main", "replicas": 1, "graph": GRAPH, "traffic": 100}
    shadow = {"name": "shadow", "replicas": 1, "graph": GRAPH, "shadow": True}
    main |= {"explainer": explainer} if explainer else {}
    return copy.deepcopy({"annotations": {"team": "a"}, "predictors": [main, shadow]} | more)


def deployment(content: dict[str, Any], *, ours: bool, generation: int = 1) -> dict[str, Any]:
    content = content | {"predictors": [stamped(one) if ours else one for one in content["predictors"]]}
    metadata = {"name": "iris", "namespace": "models", "uid": UID, "generation": generation}
    status = {
        "state": "Available",
        "conditions": [{"type": "Ready", "status": "True"}],
        "deploymentStatus": {
            name: {"replicas": 1, "availableReplicas": 1}
            for name in ("iris-main-0-m", "iris-main-explainer", "iris-shadow-0-m")
        },
    }
    return {"metadata": metadata, "spec": content, "status": status}


def children(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the local operator makes of a deployment, rolled out."""
    built = build(
        {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment"} | made
    ).deployments
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
    for child in built:
        child["metadata"] |= {"generation": 1, "ownerReferences": [{"uid": UID, "controller": True}]}
        child["status"] = {"observedGeneration": 1} | counts
    return built


def look(before: dict[str, Any], after: dict[str, Any], *, ours: bool) -> Verdict:
    """Judge a write that the operator never sees, after a day."""
    old, new = deployment(before, ours=ours), deployment(after, ours=ours, generation=2)
    expected = Expectation.of(new, before=old) if ours else Expectation()
    first = judge(new, children(old), expected=expected, now=0.0)
    return judge(new, children(old), expected=expected, now=86_400.0, history=first.history)


@pytest.mark.parametrize("ours", [True, False])
def test_what_was_made_of_this_spec_is_ready(ours: bool):
    assert look(spec(), spec(), ours=ours).phase is Phase.READY


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"threshold": "2"}},
        {"config": {}},
        {"type": "ALE"},
        {"modelUri": "gs://m/other"},
        {"modelUri": "pvc://claim/explainer"},
        {"endpoint": {"service_port": 9009}},
        {"serviceAccountName": "reader"},
        {"envSecretRefName": "credentials"},
        {"containerSpec": {"name": "ex", "image": "ex:2", "env": [{"name": "A", "value": "1"}]}},
        {"containerSpec": {"name": "ex", "image": "ex:1", "env": [{"name": "A", "value": "2"}]}},
        {"containerSpec": {"name": "ex", "image": "ex:1"}},
        {"containerSpec": EXPLAINER["containerSpec"] | {"resources": {"limits": {"cpu": "1"}}}},
        {"containerSpec": EXPLAINER["containerSpec"] | {"name": "other"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("ours", [True, False])
def test_changed_explainer_is_waited_for(change: dict[str, Any], ours: bool):
    verdict = look(spec(), spec(EXPLAINER | change), ours=ours)
    assert (verdict.phase, verdict.reason, verdict.child) == (
        Phase.PENDING,
        "ChildOutdated",
        "iris-main-explainer",
    )


def test_one_explainer_type_that_this_provider_does_not_know_is_not_taken_for_another():
    before, after = (spec(EXPLAINER | {"type": name}) for name in ("anchor_images", "anchor_tabular"))
    assert look(before, before, ours=True).phase is Phase.READY
    assert look(before, after, ours=True).reason == "ChildOutdated"


@pytest.mark.parametrize(
    "change",
    [
        {"transport": "grpc"},
        {"annotations": {"team": "b"}},
        {"annotations": {"team": "a", "seldon.io/engine-log-level": "DEBUG"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("ours", [True, False])
def test_changes_of_the_whole_deployment_are_waited_for(change: dict[str, Any], ours: bool):
    assert look(spec(), spec(**change), ours=ours).reason == "ChildOutdated"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(spec(EXPLAINER | {"envSecretRefName": "credentials"}), spec(), id="secret"),
        pytest.param(
            spec(),
            spec(EXPLAINER | {"containerSpec": {"name": "ex", "env": [{"name": "A", "value": "1"}]}}),
            id="image",
        ),
        pytest.param(spec(), spec(oauth_key="unused"), id="field that nothing is made of"),
    ],
)
def test_a_change_that_is_not_known_to_show_is_ready_in_a_weaker_way(
    before: dict[str, Any], after: dict[str, Any]
):
    verdict = look(before, after, ours=True)
    assert (verdict.phase, bool(verdict.weaker)) == (Phase.READY, True)


def test_annotation_that_was_taken_away_is_waited_for():
    verdict = look(spec(), spec(annotations={}), ours=True)
    assert (verdict.reason, "team" in verdict.message) == ("ChildOutdated", True)


@pytest.mark.parametrize("ours", [True, False])
def test_dropped_explainer_and_dropped_shadow_must_go(ours: bool):
    dropped = look(spec(), spec(None), ours=ours)
    assert (dropped.phase, dropped.reason, dropped.child) == (
        Phase.PENDING,
        "ChildNotRemoved",
        "iris-main-explainer",
    )
    without_shadow = spec()
    del without_shadow["predictors"][1]
    assert look(spec(), without_shadow, ours=ours).child == "iris-shadow-0-m"


def after_the_drop(*, listed: bool, going: bool = False, available: int = 1) -> Callable[[float], Verdict]:
    """A look at a deployment whose explainer is in the spec no more, as often as wanted."""
    made = deployment(spec(None), ours=False, generation=2)
    if not listed:
        del made["status"]["deploymentStatus"]["iris-main-explainer"]
    found = children(deployment(spec(), ours=False))
    for child in found:
        if child["metadata"]["name"] == "iris-main-explainer":
            child["metadata"] |= {"deletionTimestamp": "2026-11-28T10:00:00Z"} if going else {}
            child["status"]["availableReplicas"] = available
    histories = [History()]

    def look(now: float) -> Verdict:
        verdict = judge(made, found, expected=Expectation(), now=now, history=histories[-1])
        histories.append(verdict.history)
        return verdict

    return look


def test_child_whose_pods_terminate_is_waited_for_until_none_gets_requests():
    assert after_the_drop(listed=True, going=True, available=0)(0.0).weaker == ""
    look = after_the_drop(listed=True, going=True)
    verdicts = [look(0.0), look(29.0), look(30.0)]
    assert [one.phase for one in verdicts] == [Phase.PENDING, Phase.PENDING, Phase.READY]
    assert (verdicts[0].reason, verdicts[0].recheck_at) == ("ChildNotRemoved", 30.0)
    assert "iris-main-explainer is still there" in verdicts[-1].weaker


def test_child_that_the_operator_never_listed_and_so_never_removes_is_reported():
    verdict = after_the_drop(listed=False)(0.0)
    assert (verdict.phase, "iris-main-explainer is still there" in verdict.weaker) == (Phase.READY, True)
    assert verdict.weaker in verdict.progress


def test_dropped_child_of_what_is_scaled_to_zero_is_reported():
    """The operator removes nothing until all others are ready, which one without pods never is."""
    before = spec()
    before["predictors"][1]["replicas"] = 0
    found = children(deployment(before, ours=False))
    found[-1]["spec"]["replicas"] = 0
    found[-1]["status"] = {"observedGeneration": 1}
    after = copy.deepcopy(before)
    del after["predictors"][0]["explainer"]
    made = deployment(after, ours=False, generation=2)
    del made["status"]["deploymentStatus"]["iris-shadow-0-m"]
    verdict = judge(made, found, expected=Expectation(), now=0.0)
    assert (verdict.phase, "iris-main-explainer is still there" in verdict.weaker) == (Phase.READY, True)


def alone(protocol: str = "seldon", **graph: Any) -> dict[str, Any]:
    annotations = {"seldon.io/no-engine": "true"}
    predictor = {"name": "default", "replicas": 1, "annotations": annotations, "graph": GRAPH | graph}
    return {"protocol": protocol, "predictors": [predictor]}


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": [{"name": "n", "type": "INT", "value": "1"}]},
        {"implementation": "XGBOOST_SERVER"},
        {"protocol": "v2"},
        {"modelUri": "pvc://claim/m"},
        {"modelUri": "gs://m/2"},
        {"envSecretRefName": "credentials"},
    ],
    ids=str,
)
def test_changed_foreign_model_without_an_engine_is_waited_for(change: dict[str, Any]):
    assert look(alone(), alone(**change), ours=False).reason == "ChildOutdated"


def test_revision_that_the_spec_no_longer_has_is_waited_for():
    """As after an adoption that was given back: the owner's predictors have no stamp."""
    ours, theirs = (deployment(alone(), ours=one) for one in (True, False))
    for made in (ours, theirs):
        made["status"]["deploymentStatus"] = {}
    found = children(ours)
    assert judge(ours, found, expected=Expectation(), now=0.0).phase is Phase.READY
    assert judge(theirs, found, expected=Expectation(), now=0.0).reason == "ChildOutdated"


def test_image_that_the_operator_was_configured_with_is_no_difference():
    made = deployment(alone(), ours=False)
    made["status"]["deploymentStatus"] = {}
    found = children(made)
    found[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/own/server:7"
    assert judge(made, found, expected=Expectation(), now=0.0).phase is Phase.READY


def test_service_of_a_dropped_predictor_is_waited_for_because_a_write_before_that_leaves_the_state_failed():
    content = spec()
    del content["predictors"][1]
    made, found = deployment(content, ours=False), children(deployment(content, ours=False))
    for name in ("iris-shadow-0-m",):
        del made["status"]["deploymentStatus"][name]
    kept = ["iris-main", "iris-main-m", "iris-main-explainer", "seldon-0123456789abcdef"]
    looks = []
    for services in ([*kept, "iris-shadow", "iris-shadow-m"], kept):
        made["status"]["serviceStatus"] = {name: {"svcName": name} for name in services}
        looks.append(judge(made, found, expected=Expectation(), now=0.0))
    assert [(one.phase, one.reason) for one in looks] == [
        (Phase.PENDING, "ServiceNotRemoved"),
        (Phase.READY, "Serving"),
    ]
    made["status"]["serviceStatus"]["iris-shadow"] = {}
    first = judge(made, found, expected=Expectation(), now=0.0)
    assert judge(made, found, expected=Expectation(), now=30.0, history=first.history).phase is Phase.READY


def test_service_of_a_dropped_explainer_is_waited_for_as_well():
    content = spec(None)
    made, found = deployment(content, ours=False), children(deployment(content, ours=False))
    del made["status"]["deploymentStatus"]["iris-main-explainer"]
    made["status"]["serviceStatus"] = {
        name: {} for name in ("iris-main", "iris-main-m", "iris-main-explainer")
    }
    assert judge(made, found, expected=Expectation(), now=0.0).reason == "ServiceNotRemoved"
    del made["status"]["serviceStatus"]["iris-main-explainer"]
    assert judge(made, found, expected=Expectation(), now=0.0).phase is Phase.READY


def test_a_service_that_the_operator_looks_for_in_vain_fails_nothing_but_its_state():
    content = spec(None)
    del content["predictors"][1]
    made, found = deployment(content, ours=False), children(deployment(content, ours=False))
    del made["status"]["deploymentStatus"]["iris-shadow-0-m"]
    made["status"] |= {"state": "Failed", "description": 'Service "iris-shadow-m" not found'}
    made["status"]["serviceStatus"] = {name: {} for name in ("iris-main", "iris-main-m", "iris-shadow-m")}
    first = judge(made, found, expected=Expectation(), now=0.0)
    assert (first.phase, first.reason, first.recheck_at) == (Phase.PENDING, "StateFailed", 2.0)
    then = judge(made, found, expected=Expectation(), now=2.0, history=first.history)
    assert (then.phase, then.reason) == (Phase.READY, "Serving")
    assert "looks for Service iris-shadow-m, which it has removed" in then.weaker
    # What the status does not list is another failure, and so is what the Deployments do not show.
    del made["status"]["serviceStatus"]["iris-shadow-m"]
    assert judge(made, found, expected=Expectation(), now=9.0).reason == "StateFailed"
    made["status"]["serviceStatus"]["iris-shadow-m"] = {}
    found[0]["status"]["updatedReplicas"] = 0
    assert judge(made, found, expected=Expectation(), now=99.0, history=then.history).phase is Phase.PENDING


def test_service_of_a_node_called_explainer_is_no_explainers():
    content = {"predictors": [{"name": "main", "replicas": 1, "graph": GRAPH | {"name": "explainer"}}]}
    made = deployment(content, ours=False)
    made["status"] |= {"deploymentStatus": {}, "serviceStatus": {"iris-main-explainer": {}}}
    assert judge(made, children(made), expected=Expectation(), now=0.0).phase is Phase.READY


def _theirs(**more: Any) -> dict[str, Any]:
    container = {"name": "m", "image": "own:1"} | more.pop("container", {})
    component = {"spec": {"containers": [container]}}
    graph = {"name": "m", "type": "MODEL"}
    return {
        "predictors": [{"name": "main", "replicas": 1, "graph": graph, "componentSpecs": [component]} | more]
    }


@pytest.mark.parametrize(
    "change",
    [
        {"container": {"env": [{"name": "A", "value": "1"}]}},
        {"container": {"args": ["a"]}},
        {"container": {"resources": {"requests": {"cpu": "1"}}}},
        {"shadow": True},
        {"ssl": {"certSecretName": "c"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("comes", [True, False])
def test_what_comes_to_and_goes_from_a_foreign_predictor_is_waited_for(change: dict[str, Any], comes: bool):
    specs = [_theirs(), _theirs(**change)]
    before, after = specs if comes else reversed(specs)
    old, new = deployment(before, ours=False), deployment(after, ours=False, generation=2)
    for made in (old, new):
        made["status"]["deploymentStatus"] = {}
    assert judge(old, children(old), expected=Expectation(), now=0.0).phase is Phase.READY
    assert judge(new, children(old), expected=Expectation(), now=0.0).reason == "ChildOutdated"
