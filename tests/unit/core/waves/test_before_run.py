from __future__ import annotations

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_BEFORE_RUN
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.waves.before_run import BeforeRun, kept_for, noted, version_before
from tests.unit.core.rollout.test_history import proved, version

RUN_1, RUN_2 = (
    Identity(dag_id="train", task_id="deploy", model_name="iris", run_id=f"run-{number}") for number in (1, 2)
)


def deployed(
    number: int, before: SeldonDeployment | None, *, run: int, proven: bool = True
) -> SeldonDeployment:
    """A version as it is stored after a run has deployed it over another one."""
    who = RUN_1 if run == 1 else RUN_2
    written = version(number, run=who.run_id).annotated(noted(before, who))
    if proven:
        return proved(written, before)
    memory = {
        key: value
        for key, value in (before.annotations if before else {}).items()
        if "last" in key or "hist" in key
    }
    return written.annotated(memory)


def record_of(deployment: SeldonDeployment) -> BeforeRun:
    record = BeforeRun.of(deployment)
    assert record is not None
    return record


def target(deployment: SeldonDeployment) -> str | None:
    found = version_before(deployment, record_of(deployment))
    return found.config["model_uri"] if found else None


def test_the_first_deploy_of_a_run_says_what_it_found_and_later_ones_keep_it() -> None:
    first = deployed(1, None, run=1)
    assert (record_of(first).created, record_of(first).revision) == (True, "")
    second = deployed(2, first, run=2)
    third = deployed(3, second, run=2)
    assert record_of(second) == record_of(third)
    assert not record_of(third).created
    assert record_of(third).is_of(dag_id="train", run_id="run-2")
    assert target(third) == "gs://iris/1"


def test_a_run_of_another_dag_with_the_same_id_is_another_run() -> None:
    first = deployed(1, None, run=1)
    assert not record_of(first).is_of(dag_id="another", run_id="run-1")


def test_outside_of_a_run_nothing_is_recorded_and_what_cannot_be_read_is_no_record() -> None:
    assert noted(None, Identity(model_name="iris")) == {}
    for text in ("", "[]", '{"dag_id": 1, "run_id": "run-1"}', '{"dag_id": "train"}', "{"):
        assert BeforeRun.of(version(1).annotated({ANNOTATION_BEFORE_RUN: text})) is None


def test_a_run_that_puts_the_same_version_back_has_changed_nothing() -> None:
    first = deployed(1, None, run=1)
    assert target(deployed(1, first, run=2)) is None


def test_where_what_it_found_never_served_it_is_the_last_version_of_another_run_that_did() -> None:
    first = deployed(1, None, run=1)
    broken = deployed(2, first, run=1, proven=False)
    assert target(deployed(3, broken, run=2)) == "gs://iris/1"
    never = deployed(1, None, run=1, proven=False)
    with pytest.raises(InvalidRequestError, match="no proven version from before run run-2"):
        target(deployed(2, never, run=2))


def test_the_record_stays_with_a_version_of_the_same_run_and_goes_with_any_other() -> None:
    first = deployed(1, None, run=1)
    second = deployed(2, first, run=2)
    assert kept_for(ProvenVersion.of(second), second)
    assert not kept_for(ProvenVersion.of(first), second)


def test_what_was_superseded_is_remembered() -> None:
    record = noted(None, RUN_1, superseded=("iris-old",))[ANNOTATION_BEFORE_RUN]
    assert record_of(version(1).annotated({ANNOTATION_BEFORE_RUN: record})).superseded == ("iris-old",)
