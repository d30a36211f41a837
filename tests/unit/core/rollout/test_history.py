from __future__ import annotations

import json
import random
import string

import pytest

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_HISTORY,
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_REVISION,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import MAX_CONFIG_BYTES, ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import (
    KEPT,
    ProvenVersion,
    annotations_after,
    proven_versions,
    version_to_restore,
)
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt

WHO = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")
#: Kubernetes API concepts: the limit of all annotations of an object, keys and values together.
LIMIT = 262_144


def version(
    number: int, *, padding: str = "", secret: str | None = None, run: str = "run-1"
) -> SeldonDeployment:
    server = ModelServer.create(
        model_name="iris",
        model_uri=f"gs://iris/{number}",
        implementation="SKLEARN_SERVER",
        model_metadata={"padding": padding} if padding else {},
    )
    who = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id=run)
    return server.to_deployment(identity=who, namespace="models", secret_name=secret)


def proved(
    deployment: SeldonDeployment, before: SeldonDeployment | None = None, **more: str
) -> SeldonDeployment:
    """The deployment as stored once it was seen serving, with the memory of the one before it."""
    manifest = deployment.to_manifest()
    memory = (ANNOTATION_LAST_AVAILABLE, ANNOTATION_HISTORY)
    kept = {key: value for key, value in (before.annotations if before else {}).items() if key in memory}
    manifest["metadata"]["annotations"] |= kept
    stored = SeldonDeployment.from_manifest(manifest)
    manifest["metadata"]["annotations"] |= annotations_after(stored, ProvenVersion.of(deployment), **more)
    return SeldonDeployment.from_manifest(manifest)


def after(*numbers: int) -> SeldonDeployment:
    stored = None
    for number in numbers:
        stored = proved(version(number), stored)
    assert stored is not None
    return stored


def revision(number: int) -> str:
    return version(number).annotations[ANNOTATION_REVISION]


def known(deployment: SeldonDeployment) -> list[str]:
    return [one.revision for one in proven_versions(deployment)]


def test_a_version_survives_its_annotation() -> None:
    seen = ProvenVersion.of(version(1, secret="storage"))
    assert ProvenVersion.from_json(seen.to_json()) == seen
    assert (seen.revision, seen.secret_name, seen.run_id) == (revision_of(seen), "storage", "run-1")


def revision_of(seen: ProvenVersion) -> str:
    return version(1, secret="storage").annotations[ANNOTATION_REVISION] if seen.revision else ""


@pytest.mark.parametrize(
    "text", [None, "", "null", "[]", "{", '{"revision": 1, "config": []}', '{"config": "@"}']
)
def test_what_cannot_be_read_was_never_recorded(text: str | None) -> None:
    assert ProvenVersion.from_json(text) == ProvenVersion(revision="")


def test_proven_versions_are_kept_newest_first_each_once() -> None:
    assert known(after(1, 2, 3)) == [revision(3), revision(2), revision(1)]
    assert known(after(1, 2, 1)) == [revision(1), revision(2)]
    assert known(after(1, 1, 1)) == [revision(1)]


def test_only_the_last_ten_are_kept() -> None:
    stored = after(*range(14))
    assert known(stored) == [revision(number) for number in range(13, 13 - KEPT, -1)]


def test_the_memory_stays_below_the_limit_of_annotations_whatever_the_configurations() -> None:
    chance = random.Random(1)
    stored = None
    for number in range(12):
        noise = "".join(chance.choices(string.ascii_letters, k=MAX_CONFIG_BYTES - 500))
        stored = proved(version(number, padding=noise), stored)
        size = sum(len(key) + len(value.encode()) for key, value in stored.annotations.items())
        assert size < LIMIT - 16_000
    assert stored is not None
    assert len(known(stored)) >= 1


def test_large_configurations_that_are_alike_are_all_kept() -> None:
    stored = None
    for number in range(12):
        stored = proved(version(number, padding="layer " * 5000), stored)
    assert stored is not None
    assert len(known(stored)) == KEPT
    oldest = proven_versions(stored)[-1]
    assert ModelServer.parse(oldest.config).model_metadata == {"padding": "layer " * 5000}


def test_a_version_is_built_again_unchanged() -> None:
    first = version(1, secret="storage-1", run="monday")
    stored = proved(version(2, secret="storage-2", run="tuesday"), proved(first))
    again = rebuilt(proven_versions(stored)[1], stored)
    assert again.to_manifest() == first.to_manifest()


def test_a_version_is_built_again_unchanged_whoever_has_deployed_since() -> None:
    """With a name of the user's own, another DAG or another model may be deployed under it."""
    first = version(1)
    other = ModelServer.create(model_name="rose", model_uri="gs://rose/1", implementation="SKLEARN_SERVER")
    who = Identity(dag_id="other", task_id="publish", model_name="rose", run_id="run-9")
    manifest = other.to_deployment(identity=who, namespace="models").to_manifest()
    manifest["metadata"]["name"] = first.name
    stored = proved(SeldonDeployment.from_manifest(manifest), proved(first))
    again = rebuilt(version_to_restore(stored, "previous"), stored)
    assert again.to_manifest() == first.to_manifest()


def test_what_an_earlier_release_recorded_can_be_built_again() -> None:
    """It did not say who had deployed it."""
    first = version(1)
    data = ProvenVersion.of(first).to_data()
    del data["dag_id"], data["task_id"]
    stored = proved(version(2), proved(first))
    assert rebuilt(ProvenVersion.from_data(data), stored).to_manifest() == first.to_manifest()


def test_a_version_without_a_secret_does_not_get_the_one_of_the_version_after_it() -> None:
    first = version(1)
    stored = proved(version(2, secret="missing"), proved(first))
    again = rebuilt(version_to_restore(stored, "previous"), stored)
    assert again.to_manifest() == first.to_manifest()


@pytest.mark.parametrize("secret", [None, "storage"])
def test_nodes_that_name_no_secret_get_one_only_where_they_had_one(secret: str | None) -> None:
    def graph(**node: str) -> SeldonDeployment:
        nodes = [
            {"name": name, "modelUri": f"gs://{name}", "implementation": "SKLEARN_SERVER"} for name in "ab"
        ]
        root = {**nodes[0], **node, "children": [nodes[1]]}
        server = ModelServer.create(model_name="iris", manifest={"graph": root})
        return server.to_deployment(identity=who, secret_name=secret)

    who = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")
    first = graph(envSecretRefName="own")
    stored = proved(graph(), proved(first))
    again = rebuilt(version_to_restore(stored, "previous"), stored)
    assert again.to_manifest()["spec"] == first.to_manifest()["spec"]


def test_why_a_version_cannot_be_built_again_is_reported() -> None:
    stored = after(1)
    with pytest.raises(InvalidRequestError, match="without its configuration"):
        rebuilt(ProvenVersion(revision="0123"), stored)
    with pytest.raises(InvalidRequestError, match="replicas"):
        rebuilt(ProvenVersion(revision="0123", config={"model_name": "iris", "replica": 2}), stored)


def test_previous_is_the_version_before_the_running_one() -> None:
    assert version_to_restore(after(1, 2), "previous").revision == revision(1)


def test_previous_to_a_version_that_never_served_is_the_last_that_did() -> None:
    stored = after(1, 2).to_manifest()
    stored["metadata"]["annotations"][ANNOTATION_REVISION] = "broken"
    assert version_to_restore(SeldonDeployment.from_manifest(stored), "previous").revision == revision(2)


def test_previous_does_not_go_forward_to_what_was_rolled_back() -> None:
    back = proved(version(2), after(1, 2, 3), withdrawn=revision(3))
    assert known(back) == [revision(2), revision(3), revision(1)]
    assert version_to_restore(back, "previous").revision == revision(1)
    assert version_to_restore(back, revision(3)).revision == revision(3)
    redeployed = proved(version(3), back)
    assert [one.withdrawn for one in proven_versions(redeployed)] == [False, False, False]


@pytest.mark.parametrize("to", ["previous", "0123456789", ""])
def test_an_unknown_version_is_refused_with_the_known_ones(to: str) -> None:
    with pytest.raises(InvalidRequestError, match=revision(1)):
        version_to_restore(after(1), to)


def test_a_broken_history_annotation_is_ignored() -> None:
    stored = after(1, 2).to_manifest()
    for broken in ("{", "[]", '{"versions": 3}', '{"versions": [1, {"revision": 2}, {"config": {}}]}'):
        stored["metadata"]["annotations"][ANNOTATION_HISTORY] = broken
        assert known(SeldonDeployment.from_manifest(stored)) == [revision(2)]


def test_a_history_holds_no_credentials() -> None:
    text = json.dumps([one.to_data() for one in proven_versions(after(1, 2))])
    assert "RCLONE" not in text
    assert "secret" not in text
