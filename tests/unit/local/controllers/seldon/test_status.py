"""Knative conditions and comparisons of the operator, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.local.controllers.manifests import is_derivative, is_subset
from airflow_provider_seldon.local.controllers.seldon import status as conditions


def truth(status: dict[str, Any], kind: str) -> str | None:
    return next((one["status"] for one in status.get("conditions", []) if one["type"] == kind), None)


def all_ready() -> dict[str, Any]:
    status: dict[str, Any] = {}
    for kind in conditions.DEPENDENTS:
        conditions.mark(status, kind, "True", "because")
    return status


def test_ready_is_unknown_until_every_condition_exists() -> None:
    status: dict[str, Any] = {}
    for kind in conditions.DEPENDENTS[:-1]:
        conditions.mark(status, kind, "True")
        assert truth(status, "Ready") == "Unknown"
    conditions.mark(status, conditions.DEPENDENTS[-1], "True")
    assert truth(status, "Ready") == "True"


def test_one_false_condition_makes_ready_false_with_its_reason() -> None:
    status = all_ready()
    conditions.report(status, conditions.SERVICES_READY, ready=False)
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Not all services created")
    conditions.report(status, conditions.SERVICES_READY, ready=True)
    assert truth(status, "Ready") == "True"


def test_what_is_not_requested_counts_as_ready() -> None:
    status: dict[str, Any] = {}
    conditions.report(status, conditions.HPAS_READY, ready=True, defined=False)
    assert status["conditions"][0]["reason"] == "No HPAs defined"


def test_child_without_conditions_does_not_change_deployments_ready() -> None:
    status: dict[str, Any] = {}
    conditions.copy_deployment_condition(status, None)
    assert status == {}


def test_times_of_conditions_do_not_count_as_a_difference() -> None:
    one, other = all_ready(), all_ready()
    for entry in other["conditions"]:
        entry["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    assert conditions.same(one, other)
    conditions.set_state(other, "Available")
    assert not conditions.same(one, other)


def test_description_is_cleared() -> None:
    status: dict[str, Any] = {}
    conditions.set_state(status, "Failed", "bad luck")
    conditions.set_state(status, "Creating")
    assert status == {"state": "Creating"}


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ({"a": 1}, {"a": 1, "default": 2}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": ""}, {}, True),
        ({"a": {}}, {}, True),
        ({"a": None}, {"a": 3}, True),
        ({"replicas": 0}, {}, False),
        ({"limits": {"cpu": "0.5", "memory": "1Gi"}}, {"limits": {"cpu": "500m", "memory": "1024Mi"}}, True),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, False),
    ],
)
def test_defaults_of_the_server_are_no_difference(wanted: Any, found: Any, same: bool) -> None:
    assert is_subset(wanted, found) is same


@pytest.mark.parametrize(
    ("old", "new", "derivative"),
    [
        ({"image": "a"}, {"image": "a", "env": [1]}, True),
        ({"image": "a"}, {"image": "b"}, False),
        ({"list": [1]}, {"list": [1, 2]}, True),
        ({"list": [1, 2]}, {"list": [1]}, False),
        ({"unset": None, "zero": 0}, {}, True),
    ],
)
def test_additions_alone_are_not_seen_as_a_change(old: Any, new: Any, derivative: bool) -> None:
    assert is_derivative(old, new) is derivative
