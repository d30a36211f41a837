from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.stabilization import History
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from tests.unit.core.cluster_objects import CONTAINER, complete_children, engine, sdep, spec


def look(
    deployment: dict[str, Any] | None, children: list[dict[str, Any]] | None = None, **options: Any
) -> Verdict:
    """Judge with what the operator would have made of the deployment, unless children are given."""
    if children is None and deployment is not None:
        children = complete_children(deployment)
    expected = options.pop("expected", Expectation())
    return judge(
        deployment,
        children,
        options.pop("pods", None),
        expected=expected,
        now=options.pop("now", 0.0),
        **options,
    )


def test_complete_children_and_available_is_ready():
    verdict = look(sdep())
    assert (verdict.phase, verdict.reason) == (Phase.READY, "Serving")
    assert "iris-default-0-classifier" in verdict.message
    assert verdict.final


def test_a_model_is_judged_like_its_manifest():
    manifest = sdep()
    assert judge(
        SeldonDeployment.from_manifest(manifest), complete_children(manifest), expected=Expectation(), now=0
    ) == judge(manifest, complete_children(manifest), expected=Expectation(), now=0)


def test_nothing_is_changed_by_judging():
    deployment = sdep()
    children = complete_children(deployment)
    before = copy.deepcopy((deployment, children))
    look(deployment, children)
    assert (deployment, children) == before


def test_engine_of_the_previous_version_is_not_ready():
    deployment, old = sdep(), sdep(spec(labels={"a": "b"}))
    (child,) = complete_children(deployment)
    child["spec"]["template"]["spec"]["containers"][-1] = engine(old["spec"]["predictors"][0])
    verdict = look(deployment, [child])
    assert (verdict.phase, verdict.reason) == (Phase.PENDING, "ChildOutdated")
    assert "engine runs revision" in verdict.message


def test_stamp_on_the_deployment_but_not_on_its_pods_is_not_ready():
    deployment = sdep()
    (child,) = complete_children(deployment, with_engine=False)
    child["metadata"]["annotations"] = child["spec"]["template"]["metadata"].pop("annotations")
    assert look(deployment, [child]).reason == "ChildOutdated"


def test_predictor_without_an_engine_is_recognised_by_its_pod_template():
    deployment = sdep(spec(annotations={"seldon.io/no-engine": "true"}))
    assert look(deployment, complete_children(deployment, with_engine=False)).phase is Phase.READY


def test_unreadable_engine_predictor_leaves_the_stamp_of_the_template():
    deployment = sdep()
    (child,) = complete_children(deployment)
    child["spec"]["template"]["spec"]["containers"][-1]["env"][0]["value"] = "%%%"
    assert look(deployment, [child]).phase is Phase.READY


def test_separate_engine_that_does_not_say_what_it_runs_is_not_ready():
    content = spec() | {"annotations": {"seldon.io/engine-separate-pod": "true"}}
    deployment = sdep(content)
    children = complete_children(deployment)
    assert look(deployment, children).phase is Phase.READY
    children[0]["spec"]["template"]["spec"]["containers"][0]["env"] = []
    assert look(deployment, children).reason == "ChildOutdated"


def test_changed_protocol_is_waited_for_although_the_predictor_is_the_same():
    before, after = sdep(spec()), sdep(spec() | {"protocol": "v2"}, generation=2)
    verdict = look(after, complete_children(before))
    assert verdict.reason == "ChildOutdated"
    assert "protocol seldon, not v2" in verdict.message
    assert look(after).phase is Phase.READY


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "KernelShap"}, "explains with AnchorTabular, not KernelShap"),
        ({"containerSpec": {"image": "explainer:2"}}, "explainer:2"),
    ],
)
def test_changed_explainer_is_waited_for_although_the_stamp_is_the_same(change: dict[str, Any], told: str):
    before = sdep(spec(explainer={"type": "AnchorTabular"}))
    after = sdep(spec(explainer={"type": "AnchorTabular"} | change), generation=2)
    verdict = look(after, complete_children(before))
    assert verdict.reason == "ChildOutdated"
    assert told in verdict.message


def test_explainer_that_loads_the_previous_artifact_is_not_ready():
    deployment = sdep(spec(explainer={"type": "AnchorTabular", "modelUri": "gs://new"}))
    children = complete_children(deployment)
    name = children[1]["metadata"]["name"]
    loader = {"name": f"{name}-model-initializer", "args": ["gs://old", "/mnt/models"]}
    children[1]["spec"]["template"]["spec"]["initContainers"] = [loader]
    assert look(deployment, children).reason == "ChildOutdated"
    loader["args"][0] = "gs://new"
    assert look(deployment, children).phase is Phase.READY


def test_conditions_that_are_not_lists_are_absent():
    broken = sdep() | {"status": {"state": "Available", "conditions": "none"}}
    assert look(broken).phase is Phase.READY


@pytest.mark.parametrize(
    "garbage", [{}, {"spec": []}, {"spec": {"predictors": [None]}}, {"status": "x", "metadata": []}]
)
def test_garbage_is_never_ready_and_never_raises(garbage: dict[str, Any]):
    assert look(garbage, []).phase is Phase.PENDING
    assert look(sdep(), [garbage]).phase is Phase.PENDING


def test_absent_deployment_is_deleted():
    assert look(None, []).phase is Phase.DELETED


def test_read_from_before_the_write_is_not_believed():
    deployment = sdep(generation=2)
    verdict = look(deployment, expected=Expectation(generation=3))
    assert (verdict.phase, verdict.reason) == (Phase.PENDING, "NotSeenYet")


def test_kubectl_edit_under_the_same_stamp_is_another_writer():
    written = sdep(generation=2)
    edited = copy.deepcopy(written)
    edited["metadata"]["generation"] = 3
    edited["spec"]["predictors"][0]["graph"]["modelUri"] = "gs://somebody/else"
    verdict = look(edited, expected=Expectation.of(written))
    assert (verdict.phase, verdict.reason) == (Phase.REPLACED, "ChangedByAnotherWriter")


def test_scaling_and_added_predictors_by_others_do_not_end_the_wait():
    written = sdep(generation=2)
    changed = copy.deepcopy(written)
    changed["metadata"]["generation"] = 4
    changed["spec"]["replicas"] = 2
    changed["spec"]["predictors"].append(sdep(spec(name="canary"))["spec"]["predictors"][0])
    assert look(changed, expected=Expectation.of(written)).phase is Phase.READY


def test_change_that_no_deployment_shows_settles_first():
    before = sdep(spec(traffic=100))
    after = sdep(spec(traffic=90), generation=2)
    expected = Expectation.of(after, before=before)
    assert expected.settle
    first = look(after, expected=expected, now=10.0)
    assert (first.phase, first.reason, first.recheck_at) == (Phase.PENDING, "Settling", 12.0)
    assert look(after, expected=expected, now=12.0, history=first.history).phase is Phase.READY


def test_pods_from_before_a_stop_that_the_operator_has_not_seen_yet_are_not_believed_at_once():
    stopped, started = sdep(spec(replicas=0), generation=2), sdep(spec(replicas=1), generation=3)
    expected = Expectation.of(started, before=stopped)
    first = look(started, expected=expected, now=10.0)
    assert (first.phase, first.reason) == (Phase.PENDING, "Settling")
    assert look(started, expected=expected, now=12.0, history=first.history).phase is Phase.READY
    assert not Expectation.of(stopped, before=started).settle


def test_pods_of_a_former_number_are_not_believed_at_once():
    scaled, unscaled = sdep(spec(replicas=3)), sdep(spec(), generation=2)
    for one in unscaled["spec"]["predictors"]:
        one.pop("replicas", None)
    assert Expectation.of(unscaled, before=scaled).settle
    assert not Expectation.of(scaled, before=unscaled).settle


def test_change_that_a_deployment_shows_needs_no_settling():
    before, after = sdep(), sdep(spec(labels={"a": "b"}), generation=2)
    assert not Expectation.of(after, before=before).settle
    assert not Expectation.of(before, before=before).settle


def test_pods_are_read_only_after_a_child_has_lacked_them_for_a_while():
    deployment = sdep(state="Creating", ready="False")
    (child,) = complete_children(deployment)
    child["status"]["availableReplicas"] = 0
    first = look(deployment, [child], now=100.0)
    assert not first.wants_pods
    assert first.recheck_at == 108.0
    assert look(deployment, [child], now=108.0, history=first.history).wants_pods


def test_a_new_pod_that_fails_besides_a_healthy_old_one_is_suspect():
    deployment = sdep(state="Creating", ready="False")
    (child,) = complete_children(deployment)
    child["status"] |= {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1}
    first = look(deployment, [child], now=100.0)
    assert look(deployment, [child], now=108.0, history=first.history).wants_pods


def test_a_child_that_recovers_is_not_suspect_any_more():
    deployment = sdep(state="Creating", ready="False")
    good, bad = complete_children(deployment), complete_children(deployment)
    bad[0]["status"]["availableReplicas"] = 0
    history = None
    for now, children in ((0.0, bad), (5.0, good), (6.0, bad), (13.0, bad)):
        verdict = look(deployment, children, now=now, history=history)
        history = verdict.history
    assert not verdict.wants_pods
    assert verdict.recheck_at == 14.0


def test_pods_that_were_not_read_do_not_reset_what_was_seen_in_them():
    deployment = sdep(state="Creating", ready="False")
    (child,) = complete_children(deployment)
    child["status"]["availableReplicas"] = 0
    owner = {"kind": "ReplicaSet", "name": "iris-default-0-classifier-1", "controller": True}
    waiting = {
        "name": "classifier",
        "state": {"waiting": {"reason": "ErrImagePull", "message": "i/o timeout"}},
    }
    pod = {
        "metadata": {"name": "p", "ownerReferences": [owner], **annotations_of(child)},
        "status": {"containerStatuses": [waiting]},
    }
    history = look(deployment, [child], pods=[pod], now=0.0).history
    history = look(deployment, [child], now=30.0, history=history).history
    assert look(deployment, [child], pods=[pod], now=60.0, history=history).phase is Phase.FAILED
    history = look(deployment, [child], pods=[], now=30.0, history=history).history
    assert look(deployment, [child], pods=[pod], now=60.0, history=history).phase is Phase.PENDING


def annotations_of(child: dict[str, Any]) -> dict[str, Any]:
    """What the pods of a child inherit."""
    return {"annotations": child["spec"]["template"]["metadata"]["annotations"]}


def test_failed_names_child_and_pod():
    deployment = sdep(state="Creating", ready="False")
    (child,) = complete_children(deployment)
    child["status"]["availableReplicas"] = 0
    owner = {"kind": "ReplicaSet", "name": "iris-default-0-classifier-1", "controller": True}
    waiting = {"name": "classifier", "state": {"waiting": {"reason": "InvalidImageName", "message": "bad"}}}
    pod = {
        "metadata": {"name": "pod-7", "ownerReferences": [owner], **annotations_of(child)},
        "status": {"containerStatuses": [waiting]},
    }
    verdict = look(deployment, [child], pods=[pod])
    assert (verdict.phase, verdict.reason) == (Phase.FAILED, "InvalidImageName")
    assert verdict.child == "iris-default-0-classifier"
    assert verdict.message == "container classifier of pod pod-7 cannot start: InvalidImageName: bad"


def test_progress_tells_state_and_counts_of_each_child():
    deployment = sdep(spec(explainer={"type": "AnchorTabular"}), state="Creating", ready="False")
    children = complete_children(deployment)
    children[0]["status"] |= {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}
    assert look(deployment, children[:1]).progress == (
        "state Creating; iris-default-0-classifier 1 updated, 1 available of 1; iris-default-explainer "
        "missing"
    )


def test_clock_that_was_set_back_does_not_lengthen_a_grace():
    failed = sdep(state="Failed", ready=None)
    history = look(failed, now=1000.0).history
    history = look(failed, now=500.0, history=history).history
    assert look(failed, now=530.0, history=history).phase is Phase.FAILED


def test_history_and_expectation_survive_json():
    verdict = look(sdep(state="Failed"), now=7.0, expected=Expectation(status="x"))
    plain = json.loads(json.dumps(verdict.history.to_json()))
    assert History.from_json(plain) == verdict.history
    assert verdict.history.moved
    assert list(plain["since"].values()) == [7.0]
    expected = Expectation.of(sdep(), before=sdep(spec() | {"annotations": {"a": "b"}}))
    assert expected.settle
    assert Expectation.from_json(json.loads(json.dumps(expected.to_json()))) == expected
    assert Expectation.from_json({"uid": "u", "from": "a newer version"}) == Expectation(uid="u")


def test_settling_continues_while_a_child_is_written_again_and_again():
    restless = complete_children(sdep())
    expected, history, verdicts = Expectation(settle=True), None, []
    for at in range(4):
        restless[0]["metadata"]["generation"] = 7 + at
        restless[0]["status"]["observedGeneration"] = 6 + at
        verdicts.append(look(sdep(), restless, expected=expected, now=at, history=history))
        history = History.from_json(json.loads(json.dumps(verdicts[-1].history.to_json())))
    assert [one.reason for one in verdicts] == ["ChildNotObserved", "Settling", "Settling", "Serving"]


def test_history_of_the_previous_release_is_readable():
    assert History.from_json({"since": {"suspect": 3.0}, "moved": True}) == History(
        since={"suspect": 3.0}, moved=True, templates={}
    )


def asleep() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    deployment = sdep(spec(replicas=0), state="Creating", ready="False")
    return deployment, complete_children(deployment)


def pod_of(child: dict[str, Any], **more: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": f"{child['metadata']['name']}-6d4b", "controller": True}
    return {"metadata": {"name": "one", "ownerReferences": [owner], **more}, "status": {"phase": "Running"}}


def test_scaled_to_zero_while_a_pod_is_still_ending_is_not_ready():
    deployment, children = asleep()
    ending = pod_of(children[0], deletionTimestamp="2026-11-28T10:00:00Z")
    verdict = look(deployment, children, pods=[ending], now=5.0)
    assert (verdict.phase, verdict.reason, verdict.recheck_at) == (Phase.PENDING, "PodsEnding", 6.0)
    other = pod_of({"metadata": {"name": "other-default-0-classifier"}})
    dead = pod_of(children[0]) | {"status": {"phase": "Failed"}}
    verdict = look(deployment, children, pods=[other, dead])
    assert (verdict.phase, verdict.reason, verdict.weaker) == (Phase.READY, "ScaledToZero", "")


def test_scaled_to_zero_without_a_read_of_the_pods_is_weaker_and_requests_one():
    verdict = look(*asleep())
    assert (verdict.phase, verdict.reason, verdict.wants_pods) == (Phase.READY, "ScaledToZero", True)
    assert "not checked" in verdict.weaker


@pytest.mark.parametrize("may_read", [True, False])
def test_what_was_written_with_pods_and_scaled_to_zero_by_another_writer_is_not_ready(may_read: bool):
    expected = Expectation.from_json(json.loads(json.dumps(Expectation.of(sdep()).to_json())))
    deployment, children = asleep()
    deployment["metadata"] = {**sdep()["metadata"], "generation": 9}
    seen = children if may_read else None
    first = judge(deployment, seen, [], expected=expected, now=0.0)
    verdict = judge(deployment, seen, [], expected=expected, now=1000.0, history=first.history)
    assert (verdict.phase, verdict.reason) == (Phase.REPLACED, "ScaledToZeroByAnother")
    stop = look(deployment, children, pods=[], expected=Expectation.of(deployment))
    assert (stop.phase, stop.reason) == (Phase.READY, "ScaledToZero")


def test_policy_decides_how_long_failed_may_last():
    failed = sdep(state="Failed")
    patient = FailurePolicy(failed_grace=600.0)
    first = look(failed, policy=patient)
    assert first.recheck_at == 600.0
    assert look(failed, now=599.0, history=first.history, policy=patient).phase is Phase.PENDING
    assert look(failed, now=600.0, history=first.history, policy=patient).phase is Phase.FAILED


class TestForeign:
    """A deployment that another client applied carries no stamp; its children are compared with its spec."""

    def test_children_of_the_same_content_are_ready(self):
        deployment = sdep(foreign=True)
        assert look(deployment).phase is Phase.READY

    @pytest.mark.parametrize(
        "change", [{"image": "model:2"}, {"env": [{"name": "A", "value": "2"}]}, {"args": ["x"]}]
    )
    @pytest.mark.parametrize("with_engine", [True, False])
    def test_changed_container_is_waited_for(self, change: dict[str, Any], with_engine: bool):
        before = sdep(foreign=True)
        after = sdep(
            spec(componentSpecs=[{"spec": {"containers": [CONTAINER | change]}}]), foreign=True, generation=2
        )
        verdict = look(after, complete_children(before, with_engine=with_engine))
        assert (verdict.phase, verdict.reason) == (Phase.PENDING, "ChildOutdated")
        assert look(after, complete_children(after, with_engine=with_engine)).phase is Phase.READY

    def test_changed_parameter_is_waited_for(self):
        graph = {"name": "classifier", "parameters": [{"name": "p", "value": "2", "type": "INT"}]}
        after = sdep(spec(graph=graph), foreign=True, generation=2)
        verdict = look(after, complete_children(sdep(foreign=True)))
        assert "graph.parameters[0].value" in verdict.message

    def test_changed_model_is_seen_in_the_initializer_where_there_is_no_engine(self):
        graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://new"}
        annotations = {"seldon.io/no-engine": "true"}
        deployment = sdep(spec(graph=graph, componentSpecs=None, annotations=annotations), foreign=True)
        (child,) = complete_children(deployment, with_engine=False)
        pod = child["spec"]["template"]["spec"]
        pod["initContainers"] = [
            {"name": "classifier-model-initializer", "args": ["gs://old", "/mnt/models"]}
        ]
        assert look(deployment, [child]).reason == "ChildOutdated"
        pod["initContainers"][0]["args"][0] = "gs://new"
        assert look(deployment, [child]).phase is Phase.READY

    def test_what_the_operator_fills_in_is_no_difference(self):
        resources = {"limits": {"cpu": 0.5, "memory": "1Gi"}}
        container = CONTAINER | {"resources": resources, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        graph = {
            "name": "classifier",
            "implementation": "SKLEARN_SERVER",
            "type": "ROUTER",
            "endpoint": {"type": "REST"},
        }
        content = spec(
            graph=graph, componentSpecs=[{"spec": {"containers": [container]}}], shadow=False, traffic=100
        )
        deployment = sdep(content, foreign=True)
        (child,) = complete_children(deployment)
        running = copy.deepcopy(content["predictors"][0]) | {"progressDeadlineSeconds": None}
        running["graph"] |= {"type": "MODEL", "endpoint": {"service_host": "localhost", "httpPort": 9000}}
        own = running["componentSpecs"][0]["spec"]["containers"]
        own[0]["resources"] = {"limits": {"cpu": "500m", "memory": "1024Mi"}}
        own[0]["volumeMounts"] = [{"name": "seldon-podinfo", "mountPath": "/etc/podinfo"}]
        own.append({"name": "added"})
        child["spec"]["template"]["spec"]["containers"][-1] = engine(running)
        assert look(deployment, [child]).phase is Phase.READY

    def test_fields_that_the_operator_does_not_know_are_not_waited_for(self):
        content = spec(progressDeadlineSeconds=60)
        deployment = sdep(content, foreign=True)
        (child,) = complete_children(deployment)
        child["spec"]["template"]["spec"]["containers"][-1] = engine(spec()["predictors"][0])
        assert look(deployment, [child]).phase is Phase.READY
