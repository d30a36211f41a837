"""What others do while a canary is under way: nothing of it is lost, and the baseline serves on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY
from airflow_provider_seldon.exceptions import (
    CanaryAbortedError,
    ConflictError,
    InvalidModelServerError,
    SeldonError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.sensors.canary import SeldonCanarySensor
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context, scale_by_kubectl
from tests.integration.test_canary import (
    SERVED,
    TUESDAY,
    assert_serves,
    operator,
    predictors,
    run,
    served,  # noqa: F401
)
from tests.integration.test_write_preconditions import patch

pytestmark = pytest.mark.simulated_pods("a dozen rollouts")

WEDNESDAY = datetime(2026, 1, 7, tzinfo=UTC)


def held(hook: SeldonHook, name: str, **arguments: Any) -> None:
    run(operator(hold_at=5, bake=0.05, analysis=None, **arguments), logical_date=TUESDAY)
    assert predictors(hook, name) == {"default": ("1", 95), "canary": ("2", 5)}


def edited_by_hand(hook: SeldonHook, name: str, **change: Any) -> None:
    """What ``kubectl edit`` does to the predictors."""
    found = hook.client.get(name).to_manifest()["spec"]["predictors"]
    patch(hook, name, {"spec": {"predictors": [{**one, **change} for one in found]}})


def test_weights_that_were_edited_by_hand_are_reported_at_a_promotion_and_block_no_abort(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    held(hook, served)
    edited_by_hand(hook, served, traffic=50)
    with pytest.raises(ConflictError, match="belong to kubectl-edit"):
        run(operator(SeldonPromoteCanaryOperator, name=served), logical_date=TUESDAY)
    run(operator(SeldonAbortCanaryOperator, name=served), logical_date=TUESDAY)
    assert_serves(hook, served, "1")


def test_a_baseline_that_was_edited_by_hand_is_not_overwritten_by_an_abort(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    held(hook, served)
    main = hook.client.get(served).to_manifest()["spec"]["predictors"][0]
    edited_by_hand(hook, served, graph={**main["graph"], "modelUri": "s3://models/iris/9"})
    with pytest.raises(ConflictError, match="belong to kubectl-edit"):
        run(operator(SeldonAbortCanaryOperator, name=served), logical_date=TUESDAY)
    assert predictors(hook, served)["default"] == ("9", 95)


@pytest.mark.parametrize("decision", [SeldonAbortCanaryOperator, SeldonPromoteCanaryOperator])
def test_a_number_of_pods_that_was_set_meanwhile_stays(
    hook: SeldonHook,
    served: str,  # noqa: F811
    decision: type,
) -> None:
    held(hook, served)
    scale_by_kubectl(hook, served, 2)
    run(operator(decision, name=served), logical_date=TUESDAY)
    assert_serves(hook, served, "1" if decision is SeldonAbortCanaryOperator else "2")
    assert hook.client.get(served).to_manifest()["spec"]["replicas"] == 2


def test_scaling_is_refused_as_it_would_end_the_canary(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    held(hook, served)
    with pytest.raises(InvalidModelServerError, match="Promote or abort it first"):
        run(operator(SeldonScaleModelOperator, name=served, replicas=2), logical_date=TUESDAY)
    assert predictors(hook, served) == {"default": ("1", 95), "canary": ("2", 5)}
    assert ANNOTATION_CANARY in hook.client.get(served).annotations
    run(operator(SeldonAbortCanaryOperator, name=served), logical_date=TUESDAY)
    assert_serves(hook, served, "1")


def test_a_lease_and_a_label_that_were_edited_by_hand_save_no_candidate(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    unreadable = {"metadata": {"annotations": {ANNOTATION_CANARY: "{"}}}
    held(hook, served)
    patch(hook, served, unreadable)
    with pytest.raises(InvalidModelServerError, match="cannot be read"):
        run(operator(SeldonPromoteCanaryOperator, name=served), logical_date=TUESDAY)
    patch(hook, served, {"metadata": {"labels": {LABEL_MANAGED_BY: None}}})
    with pytest.raises(CanaryAbortedError, match=r"cannot be read.*has all of the traffic again"):
        run(SeldonCanarySensor(task_id="watch", name=served, deferrable=False), logical_date=TUESDAY)
    assert_serves(hook, served, "1")
    held(hook, served)
    patch(hook, served, unreadable)
    newer = operator(model_uri="s3://models/iris/3", hold_at=9, steps=[9], bake=0.05, analysis=None)
    run(newer, run_id="wednesday", logical_date=WEDNESDAY)
    assert predictors(hook, served) == {"default": ("1", 91), "canary": ("3", 9)}


def test_zero_pods_end_the_canary(hook: SeldonHook) -> None:
    name = run(operator(SeldonDeployModelOperator, **SERVED), run_id="before")[0]["name"]
    held(hook, name)
    run(operator(SeldonScaleModelOperator, name=name, replicas=0), logical_date=TUESDAY)
    assert predictors(hook, name) == {"default": ("1", None)}
    assert ANNOTATION_CANARY not in hook.client.get(name).annotations
    assert hook.client.pods.of_deployment(name) == []


def test_a_rollback_ends_the_canary(hook: SeldonHook, served: str) -> None:  # noqa: F811
    newer = {**SERVED, "model_uri": "s3://models/iris/0"}
    run(operator(SeldonDeployModelOperator, **newer), run_id="monday", logical_date=TUESDAY)
    run(operator(hold_at=5, bake=0.05, analysis=None), run_id="tuesday", logical_date=WEDNESDAY)
    run(operator(SeldonRollbackOperator, name=served), run_id="wednesday", logical_date=WEDNESDAY)
    assert_serves(hook, served, "1")


def test_a_retry_continues_with_the_steps_that_the_canary_began_with(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    held(hook, served)
    lease = Lease.of(hook.client.get(served))
    assert lease is not None
    run(operator(hold_at=5, steps=[5, 60], bake=9.0), logical_date=TUESDAY, try_number=2)
    again = Lease.of(hook.client.get(served))
    assert again is not None
    assert again.steps == lease.steps
    run(operator(SeldonAbortCanaryOperator, name=served), logical_date=TUESDAY)
    assert_serves(hook, served, "1")


def test_a_task_that_is_cleared_after_its_canary_was_aborted_begins_anew(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    with pytest.raises(CanaryAbortedError):
        run(operator(model_server=behaving("crash")), logical_date=TUESDAY)
    for action in ("updated", "unchanged"):
        result, _ = run(operator(bake=0.05, analysis=None), logical_date=TUESDAY, try_number=2)
        assert result["action"] == action
        assert_serves(hook, served, "2")


def test_a_deletion_ends_the_canary_and_leaves_nothing(hook: SeldonHook) -> None:
    result, _ = run(operator(SeldonDeployModelOperator, **SERVED), run_id="before")
    name = result["name"]
    held(hook, name)
    SeldonDeleteModelOperator(task_id="delete", name=name).execute(context())
    assert hook.client.find() == []
    assert run(operator(SeldonAbortCanaryOperator, name=name), logical_date=TUESDAY)[0] == {"aborted": []}
    with pytest.raises(SeldonError):
        run(operator(SeldonPromoteCanaryOperator, name=name), logical_date=TUESDAY)
