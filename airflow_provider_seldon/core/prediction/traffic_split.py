"""
Which predictor answers: the predictors among which the ingress splits the traffic, and the one that gave an
answer.

A request through the ingress cannot be addressed to one predictor. An answer in Seldon's protocol names the
graph nodes that it went through, with their images (``meta.requestPath``); if no two predictors have the
same, that identifies the predictor. Otherwise only the number of requests helps. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from airflow_provider_seldon.core.resource.predictor import Predictor
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at


def answering_predictors(deployment: SeldonDeployment) -> list[Predictor]:
    """
    Return the predictors whose answers users get.

    Shadows, whose answers are discarded, and predictors with a traffic of 0 are not among them.
    """
    live = [one for one in deployment.predictors if one.shadow is not True]
    return [one for one in live if share_of(one)] or live[:1]


def share_of(predictor: Predictor) -> float:
    """Return a predictor's share of the traffic, between 0 and 1."""
    traffic = predictor.traffic
    return min(100, max(0, traffic)) / 100 if isinstance(traffic, int) else 0.0


def answered_by(answer: Any, predictors: Sequence[Predictor]) -> str:
    """Return the name of the only predictor that can have given an answer; "" if it is ambiguous."""
    path = mapping_at(answer, "meta", "requestPath") if isinstance(answer, dict) else {}
    able = [one for one in predictors if path and _can_have_answered(one, path)]
    return str(able[0].name or "") if len(able) == 1 else ""


def requests_to_meet_all(predictors: Sequence[Predictor], *, certainty: float) -> int:
    """
    Return how many requests it takes until every predictor has had one, with a given certainty.

    :param certainty: probability, between 0 and 1, that the predictor with the smallest share has had one.
    """
    if len(predictors) < 2:
        return 1
    smallest = min(share_of(one) for one in predictors)
    return math.ceil(math.log(1 - certainty) / math.log(1 - smallest))


def _can_have_answered(predictor: Predictor, path: Any) -> bool:
    nodes = {node.name for node in predictor.nodes}
    return all(name in nodes and _image_fits(predictor, name, image) for name, image in path.items())


def _image_fits(predictor: Predictor, name: str, image: Any) -> bool:
    """Return whether an image matches; a prepackaged server's image is not in the spec, so any matches."""
    declared = (predictor.container(name) or {}).get("image")
    return not declared or not image or declared == image
