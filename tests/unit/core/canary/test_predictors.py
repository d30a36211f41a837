"""The manifests of every stage of a canary."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.canary.predictors import (
    candidate_of,
    main_of,
    weights_of,
    with_candidate,
    with_promoted,
    without_candidate,
)
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.validation import ensure_valid
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


def predictor(uri: str, **more: Any) -> dict[str, Any]:
    graph = {"name": "model", "implementation": "SKLEARN_SERVER", "modelUri": uri}
    return {"name": "default", "graph": graph, **more}


OLD = {"protocol": "v2", "replicas": 2, "predictors": [predictor("s3://models/1", replicas=3)]}
NEW = predictor("s3://models/2", explainer={"type": "AnchorTabular"})
STEP = Step(weight=5, bake=60)


def valid(spec: dict[str, Any]) -> bool:
    manifest = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris"},
        "spec": spec,
    }
    ensure_valid(SeldonDeployment.from_manifest(manifest), known_servers=None)
    return True


def test_a_candidate_comes_last_and_the_weights_add_up() -> None:
    spec = with_candidate(OLD, NEW, STEP)
    assert [one["name"] for one in spec["predictors"]] == ["default", "canary"]
    assert weights_of(spec) == {"default": 95, "canary": 5}
    assert spec["protocol"] == "v2"
    assert valid(spec)


def test_a_later_step_changes_weights_and_nothing_else() -> None:
    first, second = (
        with_candidate(OLD, NEW, STEP),
        with_candidate(with_candidate(OLD, NEW, STEP), NEW, Step(weight=50, bake=1)),
    )
    assert weights_of(second) == {"default": 50, "canary": 50}
    for spec in (first, second):
        for one in spec["predictors"]:
            del one["traffic"]
    assert first == second


def test_a_shadow_answers_nobody_and_becomes_a_candidate_under_the_same_name() -> None:
    spec = with_candidate(OLD, NEW, Step(weight=20, bake=60, shadow=True))
    assert weights_of(spec) == {"default": 100}
    assert spec["predictors"][1]["shadow"] is True
    assert valid(spec)
    assert "shadow" not in with_candidate(spec, NEW, STEP)["predictors"][1]


def test_a_promotion_keeps_the_candidates_part_until_it_is_dropped() -> None:
    spec = with_promoted(with_candidate(OLD, NEW, STEP), NEW)
    assert weights_of(spec) == {"default": 95, "canary": 5}
    assert main_of(spec)["graph"]["modelUri"] == "s3://models/2"
    assert "explainer" in main_of(spec)
    assert valid(spec)
    done = without_candidate(spec)
    assert done == {**OLD, "predictors": [NEW]}
    assert with_promoted(done, NEW) == done


def test_an_abort_restores_the_spec() -> None:
    assert without_candidate(with_candidate(OLD, NEW, STEP)) == OLD
    assert without_candidate(OLD) == OLD
    assert candidate_of(OLD) is None


def test_nothing_of_what_is_given_is_changed() -> None:
    before = repr((OLD, NEW))
    with_promoted(with_candidate(OLD, NEW, STEP), NEW)
    assert repr((OLD, NEW)) == before


@pytest.mark.parametrize(
    "predictors",
    [
        [],
        [predictor("1"), {**predictor("2"), "name": "other"}],
        [predictor("1"), {**predictor("2"), "name": "s", "shadow": True}],
    ],
)
def test_what_has_no_single_version_to_compare_with_is_refused(predictors: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRequestError, match="one predictor to be compared with"):
        with_candidate({"predictors": predictors}, NEW, STEP)
