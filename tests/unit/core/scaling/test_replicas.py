"""Numbers of pods: none is left open, those of others stay, stop and start come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.children.expected import Role, expected_children
from airflow_provider_seldon.core.identity import revision as revisions
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_REVISION,
    MANAGER,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.adoption import taken_over
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.rollout.plan import Action, plan
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt
from airflow_provider_seldon.core.scaling.continuation import (
    awakened,
    continued,
    says_the_same_numbers,
    scaled,
)
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero
from tests.unit.core.strategies import manifests

WHO = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")
NODE = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://iris/1"}
EXPLAINER = {"type": "AnchorTabular"}


def predictor(name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "graph": NODE, **more}


def request(*predictors: dict[str, Any], **spec: Any) -> SeldonDeployment:
    given_spec = {"predictors": list(predictors) or [predictor()], **spec}
    server = ModelServer.create(model_name="iris", name="iris", manifest={"spec": given_spec})
    return server.to_deployment(identity=WHO)


def single(**arguments: Any) -> SeldonDeployment:
    server = ModelServer.create(
        model_name="iris", model_uri="gs://iris/1", implementation="SKLEARN_SERVER", **arguments
    )
    return server.to_deployment(identity=WHO)


def spec(deployment: SeldonDeployment) -> dict[str, Any]:
    found: dict[str, Any] = deployment.to_manifest()["spec"]
    return found


def number(deployment: SeldonDeployment) -> Any:
    return spec(deployment).get("replicas")


def stored(
    made: SeldonDeployment,
    *,
    replicas: int | None = None,
    by: str = "",
    operation: str = "Update",
    pods: dict[str, int] | None = None,
    bare: bool = False,
    **changes: Any,
) -> SeldonDeployment:
    """
    What the cluster gives back.

    :param replicas: ``spec.replicas`` that ``by`` has set.
    :param pods: pods of each Deployment as the operator reports them.
    :param bare: as an earlier release wrote it, which added no number.
    """
    manifest = made.to_manifest()
    if bare:
        manifest["spec"].pop("replicas", None)
        for one in manifest["spec"]["predictors"]:
            one.get("explainer", {}).pop("replicas", None)
    ours = {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:predictors": {}}}}
    entries = [ours]
    if replicas is not None:
        manifest["spec"]["replicas"] = replicas
    owned = {"f:spec": {"f:replicas": {}}}
    if by:
        entries.append({"manager": by, "operation": operation, "subresource": "scale", "fieldsV1": owned})
    elif "replicas" in manifest["spec"]:
        ours["fieldsV1"] = {"f:spec": {"f:predictors": {}, "f:replicas": {}}}
    manifest["metadata"] |= {"managedFields": entries, "resourceVersion": "7"}
    manifest["spec"] |= changes
    counts = {name: {"replicas": one, "availableReplicas": one} for name, one in (pods or {}).items()}
    manifest["status"] = {"state": "Available", "deploymentStatus": counts}
    proven = ProvenVersion.of(made).to_json()
    manifest["metadata"]["annotations"][ANNOTATION_LAST_AVAILABLE] = proven
    return SeldonDeployment.from_manifest(manifest)


def left_open(deployment: SeldonDeployment) -> list[str]:
    """Names of the children that get no number from the spec and have no autoscaler, by the operator's own rules."""
    manifest = deployment.to_manifest()
    general = manifest["spec"].get("replicas")
    found = []
    for child in expected_children(manifest):
        told = child.replicas
        if child.role is Role.ENGINE and told is None:
            told = child.predictor.get("replicas", general)
        if told is None and not child.autoscaled:
            found.append(child.name)
    return found


numbers = st.none() | st.integers(0, 4)


def with_number(holder: dict[str, Any], replicas: int | None) -> dict[str, Any]:
    return holder if replicas is None else {**holder, "replicas": replicas}


@st.composite
def components(draw: st.DrawFn) -> dict[str, Any]:
    scaler = draw(st.sampled_from([{}, {}, {"hpaSpec": {"maxReplicas": 3}}, {"kedaSpec": {"triggers": []}}]))
    container = {"name": draw(st.sampled_from(["classifier", "one", "two"])), "image": "example/iris:1"}
    return with_number({"spec": {"containers": [container]}, **scaler}, draw(numbers))


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    predictors = []
    for name in draw(st.sampled_from([["main"], ["main", "canary"], ["main", "canary", "shade"]])):
        one = predictor(name)
        if draw(st.booleans()):
            one["componentSpecs"] = draw(st.lists(components(), min_size=1, max_size=2))
        if draw(st.booleans()):
            one["explainer"] = with_number({"type": "anchor_images"}, draw(numbers))
        if draw(st.booleans()):
            one["svcOrchSpec"] = with_number({"env": []}, draw(numbers))
        if draw(st.integers(0, 3)) == 0:
            one["annotations"] = {"seldon.io/no-engine": "true"}
        predictors.append(with_number(one, draw(numbers)))
    made = {"predictors": predictors}
    if draw(st.booleans()):
        made["annotations"] = {"seldon.io/engine-separate-pod": "true"}
    return with_number(made, draw(numbers))


@given(specs())
def test_no_child_is_left_without_a_number_unless_an_autoscaler_decides(one: dict[str, Any]) -> None:
    made = request(*one.pop("predictors"), **one)
    assert left_open(made) == []
    older = stored(made, bare="replicas" not in one)
    assert left_open(continued(made, older)) == []
    assert left_open(awakened(older)) == []
    assert left_open(scaled(made, 0)) == left_open(scaled(made, 3)) == []


@given(specs())
def test_scaled_to_none_and_configured_again_is_what_it_was(one: dict[str, Any]) -> None:
    made = request(*one.pop("predictors"), **one)
    asleep = stored(scaled(made, 0))
    assert continued(made, asleep) == made
    if not is_scaled_to_zero(made) and is_scaled_to_zero(asleep):
        started = awakened(asleep)
        assert spec(started) == spec(made)
        assert started.annotations[ANNOTATION_REVISION] == made.annotations[ANNOTATION_REVISION]


@given(manifests)
def test_whatever_is_stored_can_be_read_for_its_numbers(manifest: dict[str, Any]) -> None:
    there = SeldonDeployment.from_manifest(manifest)
    is_scaled_to_zero(there)
    assert isinstance(spec(continued(request(), there)), dict)


@pytest.mark.parametrize("extra", [{}, {"explainer": EXPLAINER}, {"hpaSpec": {"maxReplicas": 3}}])
@pytest.mark.parametrize("replicas", [None, 2])
def test_single_arguments_leave_none_open_either(extra: dict[str, Any], replicas: int | None) -> None:
    if "hpaSpec" in extra and replicas:
        return
    custom = {"image": "example/iris:1", "command": ["serve"]}
    for server in ({"implementation": "SKLEARN_SERVER", "model_uri": "gs://iris/1"}, custom):
        made = ModelServer.create(model_name="iris", extra_args=extra, replicas=replicas, **server)
        built = made.to_deployment(identity=WHO)
        assert left_open(built) == []
        assert ("replicas" in spec(built)) == (replicas is None and "hpaSpec" not in extra)


def test_what_is_given_back_to_its_owner_has_the_owners_number() -> None:
    theirs = {"metadata": {"name": "iris"}, "spec": {"predictors": [predictor()], "replicas": 4}}
    ours = request(replicas=2)
    version = taken_over(SeldonDeployment.from_manifest(theirs), ours)
    back = continued(rebuilt(version, ours), stored(ours), insist=False)
    assert number(back) == 4
    del theirs["spec"]["replicas"]
    version = taken_over(SeldonDeployment.from_manifest(theirs), ours)
    assert left_open(continued(rebuilt(version, ours), stored(ours), insist=False)) == []


def test_a_number_that_is_added_is_no_other_version() -> None:
    made = request(predictor(explainer=EXPLAINER))
    older = stored(made, bare=True)
    assert "replicas" not in spec(older)
    decided = plan(made, [older])
    assert (decided.action, decided.puts_back) == (Action.UPDATE, False)
    assert "left open" in decided.reason
    assert decided.deployment == made
    assert plan(made, [stored(made)]).action is Action.UNCHANGED
    assert revisions.revision(spec(made)["predictors"][0]) == revisions.revision(spec(older)["predictors"][0])


@pytest.mark.parametrize("by", ["kubectl", "kube-controller-manager"])
@pytest.mark.parametrize("operation", ["Update", "Apply"])
def test_a_number_that_others_have_set_stays(by: str, operation: str) -> None:
    there = stored(single(), replicas=5, by=by, operation=operation)
    wanted = single(parameters={"x": 1})
    # What is not mentioned in an apply stays with its owner, and cannot be in conflict.
    assert number(continued(wanted, there)) is None
    assert number(plan(wanted, [there]).deployment) is None
    assert number(continued(wanted, there, insist=False)) is None


def test_none_set_by_others_is_not_what_a_deploy_ends_with() -> None:
    made = single()
    there = stored(made, replicas=0, by="kubectl")
    decided = plan(made, [there])
    assert (decided.action, number(decided.deployment)) == (Action.UPDATE, 1)
    assert "by another client" in decided.reason


def test_a_number_in_the_manifest_counts_once_and_again_when_it_is_another() -> None:
    there = stored(request(replicas=2), replicas=5, by="kubectl")
    assert number(continued(request(replicas=2), there)) is None
    assert number(continued(request(replicas=3), there)) == 3
    assert number(continued(request(replicas=3), there, insist=False)) is None
    assert number(continued(request(), there)) is None


def test_a_number_of_another_owners_deployment_stays_when_it_is_adopted() -> None:
    there = SeldonDeployment.from_manifest(
        {
            "metadata": {
                "name": "iris",
                "managedFields": [
                    {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
                ],
            },
            "spec": {"predictors": [predictor()], "replicas": 4},
        }
    )
    assert number(continued(request(), there)) is None
    assert number(continued(request(replicas=2), there)) == 2


def test_a_number_without_an_owner_stays() -> None:
    manifest = stored(single(), replicas=4).to_manifest()
    del manifest["metadata"]["managedFields"]
    assert number(continued(single(), SeldonDeployment.from_manifest(manifest))) is None


def test_scaled_by_a_task_ends_with_the_next_deploy() -> None:
    there = stored(scaled(single(), 4))
    assert number(there) == 4
    assert number(continued(single(), there)) == 1
    again = stored(scaled(single(), 4), replicas=6, by="kubectl")
    assert number(continued(single(), again)) is None


def test_the_number_of_a_deployment_that_got_none_from_its_spec_stays() -> None:
    made = request(predictor(explainer=EXPLAINER))
    pods = {"iris-main-0-classifier": 3, "iris-main-explainer": 2}
    wanted = continued(made, stored(made, bare=True, pods=pods))
    assert number(wanted) == 3
    assert spec(wanted)["predictors"][0]["explainer"]["replicas"] == 2
    # And through the writes after that.
    after = continued(made, stored(wanted))
    assert (number(after), spec(after)["predictors"][0]["explainer"]["replicas"]) == (3, 2)


def test_the_number_that_an_autoscaler_has_set_stays_when_the_spec_has_none_any_more() -> None:
    def component(**more: Any) -> list[dict[str, Any]]:
        return [{"spec": {"containers": [{"name": "classifier"}]}, **more}]

    scaler = {"minReplicas": 2, "maxReplicas": 9}
    autoscaled = request(predictor(componentSpecs=component(hpaSpec=scaler)))
    there = stored(autoscaled, bare=True, pods={"iris-main-0-classifier": 4})
    assert number(continued(request(predictor(componentSpecs=component())), there)) == 4
    assert number(continued(autoscaled, there)) is None
    # Another predictor does not get its number.
    beside = request(predictor(componentSpecs=component(hpaSpec=scaler)), predictor() | {"name": "other"})
    assert number(continued(beside, there)) == 1


def test_none_that_was_left_when_the_number_was_taken_away_is_seen_and_ended() -> None:
    made = single()
    name = expected_children(made.to_manifest())[0].name
    there = stored(made, bare=True, pods={name: 0})
    assert is_scaled_to_zero(there)
    assert not is_scaled_to_zero(stored(made, bare=True, pods={name: 1}))
    assert not is_scaled_to_zero(stored(made, bare=True))
    decided = plan(made, [there])
    assert (decided.action, number(decided.deployment)) == (Action.UPDATE, 1)
    decided = plan(made, [there], deploy=False)
    assert (decided.action, number(decided.deployment)) == (Action.RESTART, 1)


def test_numbers_of_components_come_back_after_a_stop() -> None:
    containers = [{"name": "classifier", "image": "example/iris:1"}]
    made = request(
        predictor(componentSpecs=[{"spec": {"containers": containers}, "replicas": 3}], explainer=EXPLAINER),
        predictor("shade", shadow=True, replicas=0),
    )
    asleep = stored(scaled(made, 0))
    assert is_scaled_to_zero(asleep)
    assert [child.replicas for child in expected_children(asleep.to_manifest())] == [0, 0, 0]
    assert spec(plan(made, [asleep], deploy=False).deployment) == spec(made)


def test_a_separate_engine_with_a_number_of_its_own_stops_too() -> None:
    made = request(
        predictor(svcOrchSpec={"replicas": 2}), annotations={"seldon.io/engine-separate-pod": "true"}
    )
    assert [one.replicas for one in expected_children(scaled(made, 0).to_manifest())] == [0, 0]
    assert [one.replicas for one in expected_children(scaled(made, 3).to_manifest())] == [2, 3]


def test_what_was_deployed_with_no_pods_has_one_when_it_is_to_serve() -> None:
    made = single(replicas=0)
    assert not is_scaled_to_zero(plan(made, [stored(made)], deploy=False).deployment)


def test_numbers_are_the_same_only_when_all_are() -> None:
    made = single()
    assert says_the_same_numbers(made, stored(made))
    assert not says_the_same_numbers(made, stored(made, replicas=2, by="kubectl"))
    assert not says_the_same_numbers(made, stored(made, bare=True))


def test_a_number_that_is_added_does_not_pass_for_a_change_that_shows() -> None:
    made = request(predictor("main", traffic=90), predictor("canary", traffic=10))
    before = stored(made, bare=True)
    after = request(predictor("main", traffic=50), predictor("canary", traffic=50))
    assert Expectation.of(after, before=before).settle
    assert not Expectation.of(request(predictor(replicas=3)), before=before).settle


def test_a_number_that_moves_from_the_predictor_to_the_spec_is_no_reason_to_settle() -> None:
    assert not Expectation.of(request(), before=request(predictor(replicas=2))).settle
