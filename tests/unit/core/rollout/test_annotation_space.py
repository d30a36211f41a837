from __future__ import annotations

import random
import string

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_HISTORY, ANNOTATION_LAST_AVAILABLE
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.annotation_space import history_to_fit
from airflow_provider_seldon.core.rollout.history import (
    MAX_ANNOTATIONS,
    ProvenVersion,
    annotations_after,
    proven_versions,
    size_of,
)

WHO = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")
DICE = random.Random(1)


def noise(size: int) -> str:
    return "".join(DICE.choices(string.ascii_letters + string.digits, k=size))


def version(number: int, *, annotations: int = 0, config: int = 0) -> SeldonDeployment:
    server = ModelServer.create(
        model_name="iris",
        model_uri=f"gs://iris/{number}",
        implementation="SKLEARN_SERVER",
        annotations={"note": noise(annotations)} if annotations else {},
        model_metadata={"padding": noise(config)} if config else {},
    )
    return server.to_deployment(identity=WHO, namespace="models")


class Stored:
    """A deployment as an API server keeps it: an apply removes what it leaves out, others' annotations stay."""

    def __init__(self) -> None:
        self.now: SeldonDeployment | None = None

    def apply(self, wanted: SeldonDeployment) -> None:
        recorded = dict(self.now.annotations) if self.now else {}
        cut = history_to_fit(wanted, self.now)
        if cut is not None:
            recorded[ANNOTATION_HISTORY] = cut
        kept = {
            key: value
            for key, value in recorded.items()
            if key in (ANNOTATION_LAST_AVAILABLE, ANNOTATION_HISTORY, "theirs")
        }
        self.store(wanted.annotated(kept))

    def annotate(self, size: int) -> None:
        """Another client does, if the API server lets them."""
        assert self.now is not None
        annotated = self.now.annotated({"theirs": noise(size)})
        if size_of(annotated.annotations) <= MAX_ANNOTATIONS:
            self.store(annotated)

    def prove(self) -> None:
        assert self.now is not None
        self.store(self.now.annotated(annotations_after(self.now, ProvenVersion.of(self.now))))

    def store(self, deployment: SeldonDeployment) -> None:
        assert size_of(deployment.annotations) <= MAX_ANNOTATIONS
        self.now = deployment


def test_what_could_never_be_proven_is_refused_before_it_is_written() -> None:
    """It is there three times: as it is, in the configuration, and once it serves in what is recorded."""
    with pytest.raises(InvalidRequestError, match="ConfigMap"):
        history_to_fit(version(1, annotations=90_000), None)


def test_what_can_be_compressed_needs_less_room() -> None:
    server = ModelServer.create(
        model_name="iris",
        model_uri="gs://iris/1",
        implementation="SKLEARN_SERVER",
        annotations={"note": "A" * 90_000},
    )
    stored = Stored()
    stored.apply(server.to_deployment(identity=WHO, namespace="models"))
    stored.prove()
    assert stored.now is not None
    assert proven_versions(stored.now)[0].config["annotations"] == {"note": "A" * 90_000}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_accepted_can_be_completed_whatever_was_there(seed: int) -> None:
    dice = random.Random(seed)
    stored, accepted = Stored(), 0
    for number in range(8):
        sizes = dice.choice((0, 500, 30_000, 70_000)), dice.choice((0, 20_000, 60_000))
        try:
            wanted = version(number, annotations=sizes[0], config=sizes[1])
            stored.apply(wanted)
        except InvalidRequestError:
            continue
        stored.prove()
        accepted += 1
        stored.annotate(dice.choice((0, 0, 20_000)))
    assert accepted > 2


def test_the_history_gives_way_to_a_version_that_needs_the_room() -> None:
    stored = Stored()
    for number in range(4):
        stored.apply(version(number, config=12_000))
        stored.prove()
    assert stored.now is not None
    assert len(proven_versions(stored.now)) == 4
    stored.apply(version(5, annotations=78_000))
    assert len(proven_versions(stored.now)) > 1
    stored.prove()
    assert ProvenVersion.last_of(stored.now) == ProvenVersion.of(stored.now)
