"""Room on the only node."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.local.controllers.quantities import quantity, same_quantity
from airflow_provider_seldon.local.kubelet.pods.scheduling import lacking, requests


def pod(*containers: dict[str, Any], inits: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    def boxes(all_resources: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        return [{"name": str(number), "resources": one} for number, one in enumerate(all_resources)]

    return {"spec": {"containers": boxes(containers), "initContainers": boxes(inits)}}


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", 0.1), ("1", 1), ("0.5", 0.5), ("1Gi", 2**30), ("1G", 1e9), ("1e3", 1000), (2, 2)],
)
def test_quantities(text: str | int, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "1Xi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)


def test_one_quantity_has_many_spellings() -> None:
    assert same_quantity("1024Mi", "1Gi")
    assert not same_quantity("1G", "1Gi")
    assert same_quantity("no number", "no number")


def test_containers_add_up_and_init_containers_count_by_the_largest() -> None:
    cpu = {"requests": {"cpu": "500m"}}
    wanted = requests(pod(cpu, cpu, inits=({"requests": {"cpu": "3"}}, {"requests": {"cpu": "2"}})))
    assert wanted == {"cpu": 3.0}
    assert requests(pod(cpu, cpu)) == {"cpu": 1.0}


def test_limit_counts_where_nothing_is_requested() -> None:
    assert requests(pod({"limits": {"nvidia.com/gpu": "1", "cpu": "2"}, "requests": {"cpu": "1"}})) == {
        "nvidia.com/gpu": 1.0,
        "cpu": 1.0,
    }


def test_pods_that_are_placed_take_room() -> None:
    one = pod({"requests": {"cpu": "600m"}})
    assert lacking(one, [], {"cpu": "1"}) == []
    assert lacking(one, [one], {"cpu": "1"}) == ["cpu"]


def test_resource_that_the_node_has_not_is_lacking() -> None:
    assert lacking(pod({"limits": {"nvidia.com/gpu": "1"}}), [], {"cpu": "1"}) == ["nvidia.com/gpu"]
