from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_REVISION,
    LABEL_MANAGED_BY,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.revision import deployment_revision
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.rollout.plan import Action, newest_first, plan
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero

WHO = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")
DEFAULT_NAME = WHO.deployment_name(replace=True)


def server(version: int = 1, **more: Any) -> ModelServer:
    return ModelServer.create(
        model_name="iris", model_uri=f"gs://iris/{version}", implementation="SKLEARN_SERVER", **more
    )


def request(version: int = 1, *, replace: bool = True, who: Identity = WHO, **more: Any) -> SeldonDeployment:
    return server(version, **more).to_deployment(identity=who, replace=replace)


def stored(
    version: int = 1,
    *,
    name: str | None = None,
    state: str | None = "Available",
    created: str | None = "2025-01-01T00:00:00Z",
    proved: bool = True,
    managed: bool = True,
    predictor: dict[str, Any] | None = None,
    **more: Any,
) -> SeldonDeployment:
    """A deployment as the cluster would give it back."""
    made = request(version, **more)
    manifest = made.to_manifest()
    metadata = manifest["metadata"]
    metadata |= {"name": name or metadata["name"], "resourceVersion": f"rv-{version}", "uid": f"uid-{name}"}
    if created:
        metadata["creationTimestamp"] = created
    if proved:
        metadata["annotations"][ANNOTATION_LAST_AVAILABLE] = ProvenVersion.of(made).to_json()
    if not managed:
        metadata["labels"].pop(LABEL_MANAGED_BY)
    if predictor:
        manifest["spec"]["predictors"][0] |= predictor
    manifest["status"] = {"state": state} if state else {}
    return SeldonDeployment.from_manifest(manifest)


def uri(deployment: SeldonDeployment) -> str | None:
    graph = deployment.predictors[0].graph
    return graph.model_uri if graph else None


class TestDeploy:
    def test_first_version_is_created(self):
        decided = plan(request(), [])
        assert (decided.action, decided.deployment) == (Action.CREATE, request())
        assert (decided.superseded, decided.resource_version) == ((), None)

    def test_newest_is_updated_in_place_and_the_others_are_superseded(self):
        old = stored(1, name="old", created="2025-01-01T00:00:00Z")
        new = stored(2, name="new", created="2025-03-01T00:00:00Z")
        older = stored(1, name="older", created=None)
        for order in itertools.permutations([old, new, older]):
            decided = plan(request(3), order)
            assert decided.action is Action.UPDATE
            assert decided.deployment.name == "new"
            assert uri(decided.deployment) == "gs://iris/3"
            assert decided.resource_version == "rv-2"
            assert decided.superseded == ("old", "older")
            assert "old, older are to be superseded" in decided.reason

    def test_identical_version_that_is_ready_is_not_changed(self):
        decided = plan(request(1), [there := stored(1)])
        assert (decided.action, decided.deployment) == (Action.UNCHANGED, there)
        assert decided.resource_version is None

    @pytest.mark.parametrize(
        "lacking", [{"proved": False}, {"state": "Creating"}, {"state": "Failed"}, {"state": None}]
    )
    def test_identical_version_that_is_not_proved_is_applied_and_waited_for(self, lacking: dict[str, Any]):
        decided = plan(request(1), [stored(1, **lacking)])
        assert (decided.action, decided.resource_version) == (Action.UPDATE, "rv-1")
        assert "not been seen serving" in decided.reason

    @pytest.mark.parametrize(
        ("key", "value", "default"),
        [("protocol", "v2", "seldon"), ("transport", "grpc", "rest"), ("serverType", "kafka", "rpc")],
    )
    def test_what_every_client_talks_to_is_restored_although_the_request_leaves_it_out(
        self, key: str, value: str, default: str
    ):
        manifest = stored().to_manifest()
        edited = SeldonDeployment.from_manifest({**manifest, "spec": {**manifest["spec"], key: value}})
        decided = plan(request(), [edited])
        assert (decided.action, decided.puts_back, key in decided.reason) == (Action.UPDATE, True, True)
        assert decided.deployment.to_manifest()["spec"][key] == default
        # What that leaves is no difference any more.
        restored = SeldonDeployment.from_manifest({**manifest, "spec": {**manifest["spec"], key: default}})
        assert plan(request(), [restored]).action is Action.UNCHANGED

    def test_another_version_that_serves_is_no_reason_to_leave_it(self):
        assert plan(request(2), [stored(1)]).action is Action.UPDATE

    def test_version_that_was_proved_before_the_present_one_is_not_the_present_one(self):
        there = stored(2, proved=False)
        there.annotations[ANNOTATION_LAST_AVAILABLE] = ProvenVersion.of(request(1)).to_json()
        assert plan(request(2), [there]).action is Action.UPDATE

    def test_changed_replicas_are_a_change(self):
        assert plan(request(1, replicas=3), [stored(1, replicas=2)]).action is Action.UPDATE

    def test_another_run_of_the_same_version_changes_nothing(self):
        who = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-2")
        assert plan(request(1, who=who), [stored(1)]).action is Action.UNCHANGED

    def test_leftovers_are_superseded_even_when_nothing_changes(self):
        newest = stored(1, created="2025-02-01T00:00:00Z")
        decided = plan(request(1), [stored(1, name="left"), newest])
        assert (decided.action, decided.superseded) == (Action.UNCHANGED, ("left",))

    def test_name_given_by_the_user_wins_over_the_newest(self):
        decided = plan(request(2, name="mine"), [stored(1, name="other")])
        assert (decided.action, decided.deployment.name) == (Action.CREATE, "mine")
        assert decided.superseded == ("other",)

    def test_name_given_by_the_user_is_updated_even_if_it_is_not_the_newest(self):
        mine = stored(1, name="mine", created="2024-01-01T00:00:00Z")
        decided = plan(request(2, name="mine"), [stored(1, name="other"), mine])
        assert (decided.action, decided.deployment.name) == (Action.UPDATE, "mine")
        assert decided.superseded == ("other",)


class TestDeployWithoutReplacing:
    def test_another_one_is_created_and_nothing_is_superseded(self):
        decided = plan(request(2, replace=False), [stored(1), stored(1, name="more")], replace=False)
        assert decided.action is Action.CREATE
        assert decided.deployment.name not in (DEFAULT_NAME, "more")
        assert decided.superseded == ()

    def test_identical_version_elsewhere_does_not_matter(self):
        assert plan(request(1, replace=False), [stored(1)], replace=False).action is Action.CREATE

    def test_retry_finds_what_the_first_try_made(self):
        made = request(1, replace=False)
        first = stored(1, name=made.name, proved=False, state="Creating")
        decided = plan(made, [stored(1), first], replace=False)
        assert (decided.action, decided.deployment.name) == (Action.UPDATE, made.name)
        assert (decided.superseded, decided.resource_version) == ((), "rv-1")
        done = stored(1, name=made.name)
        assert plan(made, [done], replace=False).action is Action.UNCHANGED


class TestDoNotDeploy:
    def test_a_model_server_is_available_at_all_times(self):
        decided = plan(request(), [], deploy=False)
        assert decided.action is Action.CREATE
        assert "not to deploy" in decided.reason

    @pytest.mark.parametrize("replace", [True, False])
    def test_newest_that_serves_is_reused(self, replace: bool):
        newest = stored(1, name="b", created="2025-02-01T00:00:00Z")
        decided = plan(request(2), [stored(1, name="a"), newest], deploy=False, replace=replace)
        assert (decided.action, decided.deployment) == (Action.REUSE, newest)
        assert decided.superseded == ()

    def test_what_is_scaled_to_zero_is_started_with_its_own_replicas(self):
        asleep = stored(1, replicas=2, predictor={"replicas": 0}, state="Creating")
        decided = plan(request(2), [asleep], deploy=False)
        assert (decided.action, decided.resource_version) == (Action.RESTART, "rv-1")
        assert uri(decided.deployment) == "gs://iris/1"
        assert decided.deployment.predictors[0].replicas == 2
        assert decided.deployment.annotations[ANNOTATION_REVISION] == deployment_revision(
            decided.deployment.to_manifest()
        )
        assert "scaled to zero" in decided.reason
        assert decided.deployment.status is None

    def test_what_is_scaled_to_zero_by_everyone_gets_the_default_replicas(self):
        asleep = stored(1, predictor={"replicas": 0, "componentSpecs": [{"replicas": 0}]})
        woken = plan(request(2), [asleep], deploy=False).deployment.to_manifest()["spec"]["predictors"][0]
        assert "replicas" not in woken
        assert woken["componentSpecs"] == [{}]

    def test_what_failed_goes_back_to_what_was_last_seen_serving(self):
        broken = stored(2, proved=False, state="Failed", predictor={"annotations": {"x": "y"}})
        broken.annotations[ANNOTATION_LAST_AVAILABLE] = ProvenVersion.of(request(1)).to_json()
        decided = plan(request(3), [broken], deploy=False)
        assert decided.action is Action.RESTART
        assert uri(decided.deployment) == "gs://iris/1"
        assert decided.deployment.name == broken.name
        assert "last seen serving" in decided.reason
        assert ModelServer.from_deployment(decided.deployment) == server(1)

    def test_storage_secret_that_came_from_a_connection_stays(self):
        manifest = stored(2, proved=False, state="Failed").to_manifest()
        manifest["spec"]["predictors"][0]["graph"]["envSecretRefName"] = "from-connection"
        proven = server(1).to_deployment(identity=WHO, replace=True, secret_name="from-connection")
        manifest["metadata"]["annotations"][ANNOTATION_LAST_AVAILABLE] = ProvenVersion.of(proven).to_json()
        decided = plan(request(3), [SeldonDeployment.from_manifest(manifest)], deploy=False)
        graph = decided.deployment.predictors[0].graph
        assert graph is not None
        assert (graph.model_uri, graph.env_secret_ref_name) == ("gs://iris/1", "from-connection")

    @pytest.mark.parametrize(
        "memory", [None, "{}", "not json", '{"revision": "x", "config": {"nonsense": 1}}']
    )
    def test_what_failed_and_was_never_seen_serving_is_applied_again(self, memory: str | None):
        broken = stored(2, proved=False, state="Failed")
        if memory is not None:
            broken.annotations[ANNOTATION_LAST_AVAILABLE] = memory
        decided = plan(request(3), [broken], deploy=False)
        assert decided.action is Action.RESTART
        assert uri(decided.deployment) == "gs://iris/2"

    @pytest.mark.parametrize("proved", [True, False])
    def test_a_failed_one_without_a_version_to_restore_yields_to_an_older_one_that_is_ready(
        self, proved: bool
    ):
        failed = stored(2, name="b", created="2025-02-01T00:00:00Z", state="Failed", proved=proved)
        older = stored(1, name="a")
        decided = plan(request(3), [older, failed], deploy=False)
        assert (decided.action, decided.deployment, decided.superseded) == (Action.REUSE, older, ())
        asleep = stored(1, name="a", predictor={"replicas": 0})
        assert plan(request(3), [asleep, failed], deploy=False).deployment.name == "b"

    @pytest.mark.parametrize(
        "status",
        [
            {"state": "Creating"},
            {"state": "Failed", "description": 'deployments.apps "iris" already exists'},
        ],
        ids=["on its way", "an error that passes"],
    )
    def test_what_is_on_its_way_is_waited_for_and_not_rolled_back(self, status: dict[str, str]):
        made = stored(2, proved=False).to_manifest() | {"status": status}
        coming = SeldonDeployment.from_manifest(made)
        coming.annotations[ANNOTATION_LAST_AVAILABLE] = ProvenVersion.of(request(1)).to_json()
        decided = plan(request(3), [coming], deploy=False)
        assert decided.action is Action.RESTART
        assert uri(decided.deployment) == "gs://iris/2"
        assert (
            decided.deployment.annotations[ANNOTATION_REVISION] == request(2).annotations[ANNOTATION_REVISION]
        )


class TestForeign:
    @pytest.mark.parametrize("deploy", [True, False])
    @pytest.mark.parametrize("replace", [True, False])
    def test_others_deployments_are_neither_adopted_nor_superseded(self, deploy: bool, replace: bool):
        foreign = stored(1, name="foreign", managed=False)
        decided = plan(request(2, replace=replace), [foreign], deploy=deploy, replace=replace)
        assert (decided.action, decided.superseded) == (Action.CREATE, ())
        assert decided.deployment.name != "foreign"

    def test_name_of_another_owners_deployment_is_refused(self):
        with pytest.raises(InvalidRequestError, match="did not create"):
            plan(request(2, name="taken"), [stored(1, name="taken", managed=False)])

    def test_it_is_adopted_on_request(self):
        taken = stored(1, name="taken", managed=False, proved=False)
        decided = plan(request(2, name="taken"), [taken, stored(1)], adopt=True)
        assert (decided.action, decided.deployment.name) == (Action.UPDATE, "taken")
        assert decided.superseded == (DEFAULT_NAME,)

    def test_adoption_is_of_the_one_that_bears_the_name_only(self):
        decided = plan(request(2), [stored(1, name="foreign", managed=False)], adopt=True)
        assert (decided.action, decided.superseded) == (Action.CREATE, ())


def test_newest_is_by_creation_time_and_then_by_name():
    a = stored(name="a", created="2025-01-01T00:00:00Z")
    b = stored(name="b", created="2025-01-01T00:00:00Z")
    none = stored(name="none", created=None)
    late = stored(name="late", created="2025-01-02T00:00:00Z")
    for order in itertools.permutations([a, b, none, late]):
        assert [one.name for one in newest_first(order)] == ["late", "a", "b", "none"]


@pytest.mark.parametrize(
    ("predictor", "asleep"),
    [
        ({}, False),
        ({"replicas": 0}, True),
        ({"replicas": 0, "componentSpecs": [{"replicas": 1}]}, False),
        ({"replicas": 2, "componentSpecs": [{"replicas": 0}]}, True),
        ({"replicas": 0, "componentSpecs": [{"hpaSpec": {"maxReplicas": 2}}]}, False),
    ],
)
def test_scaled_to_zero_is_read_from_the_spec(predictor: dict[str, Any], asleep: bool):
    assert is_scaled_to_zero(stored(predictor=predictor)) is asleep


def test_a_plan_changes_none_of_its_arguments():
    asleep = stored(1, replicas=2, predictor={"replicas": 0})
    wanted = request(2)
    before = (asleep.to_manifest(), wanted.to_manifest())
    plan(wanted, [asleep], deploy=False)
    plan(wanted, [asleep])
    assert (asleep.to_manifest(), wanted.to_manifest()) == before
