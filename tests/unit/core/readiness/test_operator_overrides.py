"""Fields of a spec that the operator ignores, or replaces by its own: they keep no wait from succeeding."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, judge
from tests.unit.core.readiness.test_operator_made_children import GRAPH, children, deployment, spec


def predictor(graph: dict[str, Any], *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    components = [{"metadata": more.pop("pods", {}), "spec": {"containers": [one]}} for one in containers]
    return {"name": "main", "replicas": 1, "graph": graph, "componentSpecs": components, **more}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            {
                "predictors": [
                    predictor(
                        {"name": "m", "type": "MODEL", "serviceAccountName": "reader"},
                        {"name": "m", "image": "own:1"},
                    )
                ]
            },
            id="service account of a node that is no prepackaged server",
        ),
        pytest.param(
            {
                "predictors": [
                    predictor(
                        GRAPH
                        | {
                            "serviceAccountName": "one",
                            "children": [GRAPH | {"name": "n", "serviceAccountName": "two"}],
                        },
                        {"name": "m"},
                        {"name": "n"},
                    )
                ]
            },
            id="a service account for each of two components",
        ),
        pytest.param(
            {
                "predictors": [
                    predictor(GRAPH | {"parameters": [{"name": "model_uri", "value": "x", "type": "STRING"}]})
                ]
            },
            id="parameter that the operator appends as well",
        ),
        pytest.param(
            {
                "predictors": [
                    predictor(
                        GRAPH | {"implementation": "TENSORFLOW_SERVER"}, {"name": "m", "image": "own:1"}
                    )
                ]
            },
            id="image of TensorFlow's proxy",
        ),
        pytest.param(
            {
                "protocol": "v2",
                "predictors": [
                    predictor(
                        GRAPH,
                        {
                            "name": "m",
                            "livenessProbe": {
                                "httpGet": {"path": "/own", "port": "http"},
                                "periodSeconds": 7,
                            },
                        },
                    )
                ],
            },
            id="probe of MLServer",
        ),
        pytest.param(
            {
                "predictors": [
                    predictor(
                        GRAPH,
                        {"name": "m"},
                        annotations={"team": "a"},
                        pods={"annotations": {"team": "b"}},
                    )
                ]
            },
            id="annotation of both the predictor and its pods, beside an engine",
        ),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_what_the_operator_ignores_or_replaces_is_no_difference(content: dict[str, Any], ours: bool):
    """Each was seen on Seldon's operator 1.18.2."""
    made = deployment(content, ours=ours)
    made["status"]["deploymentStatus"] = {}
    verdict = judge(made, children(made), expected=Expectation(), now=0.0)
    assert verdict.phase is Phase.READY, verdict.message


def test_annotation_that_the_operator_sets_where_the_spec_does_not_is_waited_for_no_longer_than_that():
    before, after = (
        deployment(spec(annotations=one), ours=True) for one in ({"prometheus.io/path": "/own"}, {})
    )
    expected = Expectation.of(after, before=before)
    assert "prometheus.io/path" in expected.withdrawn
    first = judge(after, children(after), expected=expected, now=0.0)
    last = judge(after, children(after), expected=expected, now=3600.0, history=first.history)
    assert last.phase is Phase.READY, last.message
