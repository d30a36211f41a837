from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics, parse_metrics

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, {}),
        ("", {}),
        ({}, {}),
        ({"auc": 1, "loss": "0.5"}, {"auc": 1.0, "loss": 0.5}),
        ('{"auc": 0.9}', {"auc": 0.9}),
    ],
)
def test_metrics_come_as_a_dict_or_as_json(given: Any, read: dict[str, float]) -> None:
    assert parse_metrics(given) == read


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("{'auc': 0.9}", "metrics"),
        ("[1]", "metrics"),
        ([1], "metrics"),
        ({"auc": "good"}, "metrics.auc"),
        ({"auc": None}, "metrics.auc"),
    ],
)
def test_what_is_no_metric_is_refused_by_name(given: Any, field: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{field}: "):
        parse_metrics(given)


def test_recorded_metrics_survive_their_annotation() -> None:
    recorded = RecordedMetrics(values={"auc": 0.9}, at=NOON)
    assert RecordedMetrics.from_json(recorded.to_json()) == recorded


def test_what_is_no_finite_number_is_not_recorded() -> None:
    recorded = RecordedMetrics(values={"auc": float("nan"), "loss": float("inf"), "f1": 0.5}, at=NOON)
    assert RecordedMetrics.from_json(recorded.to_json()).values == {"f1": 0.5}
    assert RecordedMetrics(values={"auc": float("nan")}).to_json() == ""


@pytest.mark.parametrize("text", [None, "", "x", "[]", '{"auc": 1}', '{"values": {"auc": "x"}, "at": null}'])
def test_what_cannot_be_read_was_not_recorded(text: str | None) -> None:
    assert RecordedMetrics.from_json(text) == RecordedMetrics()
