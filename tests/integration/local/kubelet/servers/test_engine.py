"""How the engine answers for custom containers."""

from __future__ import annotations

import time

import pytest

from tests.integration.local.cluster_client import Cluster, Manifest, RefusedError, seldon_deployment
from tests.integration.local.process_cluster import ask, box, custom


def test_command_of_a_custom_container_answers_through_the_engine(machine: Cluster) -> None:
    machine.create(custom("mine", box("--answer", "5")))
    machine.wait_available("mine")
    answer = ask(machine, "mine", 1, 2)
    assert answer["data"]["ndarray"] == [[6, 7]]
    assert answer["meta"]["requestPath"] == {"model": "any/image:1"}
    assert answer["meta"]["tags"] == {"served-by": 5}
    assert answer["meta"]["puid"]


def test_registered_image_runs_its_command(machine: Cluster) -> None:
    machine.create(custom("known", {"name": "model", "image": "example/model:2.1"}))
    machine.wait_available("known")
    assert ask(machine, "known", 1)["data"]["ndarray"] == [[8]]


def test_error_of_a_component_is_passed_on(machine: Cluster) -> None:
    machine.create(custom("mine", box()))
    machine.wait_available("mine")
    with pytest.raises(RefusedError) as refused:
        machine.predict("mine", {"fail": True})
    assert refused.value.code == 500
    assert "asked to fail" in refused.value.body


def test_open_inference_protocol_reaches_the_container_as_it_is(machine: Cluster) -> None:
    manifest = custom("open", box("--answer", "3"))
    manifest["spec"]["protocol"] = "v2"
    machine.create(manifest)
    machine.wait_available("open")
    body = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [1, 2]}]}
    answer = machine.predict("open", body, path="/v2/models/model/infer")
    assert answer["outputs"][0]["data"] == [4, 5]


def test_graph_of_transformer_router_and_combiner(machine: Cluster) -> None:
    graph = {
        "name": "shift",
        "type": "TRANSFORMER",
        "children": [
            {
                "name": "choose",
                "type": "ROUTER",
                "children": [
                    {"name": "never", "type": "MODEL"},
                    {
                        "name": "add",
                        "type": "COMBINER",
                        "children": [{"name": "ten", "type": "MODEL"}, {"name": "twenty", "type": "MODEL"}],
                    },
                ],
            }
        ],
    }
    numbers = {"shift": "1", "choose": "0", "never": "99", "add": "0", "ten": "10", "twenty": "20"}
    boxes = [box("--answer", number, name=name) for name, number in numbers.items()]
    machine.create(custom("graph", *boxes, graph=graph))
    machine.wait_available("graph")
    answer = ask(machine, "graph", 0)
    assert answer["data"]["ndarray"] == [[32]]
    assert answer["meta"]["routing"] == {"choose": 1}
    assert set(answer["meta"]["requestPath"]) == {"shift", "choose", "add", "ten", "twenty"}


def test_the_first_child_speaks_for_all_that_nothing_combines(machine: Cluster) -> None:
    children = [{"name": "ten", "type": "MODEL"}, {"name": "twenty", "type": "MODEL"}]
    graph = {"name": "both", "implementation": "AVERAGE_COMBINER", "children": children}
    boxes = [box("--answer", number, name=name) for name, number in (("ten", "10"), ("twenty", "20"))]
    machine.create(custom("first", *boxes, graph=graph))
    machine.wait_available("first")
    answer = ask(machine, "first", 1)
    assert answer["data"]["ndarray"] == [[11]]
    assert set(answer["meta"]["requestPath"]) == {"both", "ten", "twenty"}


def test_containers_in_other_pods_are_reached_by_their_service(machine: Cluster) -> None:
    graph = {"name": "one", "type": "MODEL", "children": [{"name": "two", "type": "MODEL"}]}
    manifest = seldon_deployment("pair", graph=graph)
    manifest["spec"]["predictors"][0]["componentSpecs"] = [
        {"spec": {"containers": [box("--answer", "1", name="one")]}},
        {"spec": {"containers": [box("--answer", "2", name="two")]}},
    ]
    machine.create(manifest)
    machine.wait_available("pair")
    assert ask(machine, "pair", 0)["data"]["ndarray"] == [[3]]


def test_old_version_answers_until_the_new_one_is_ready_and_no_request_fails(machine: Cluster) -> None:
    machine.create(custom("mine", box("--answer", "1")))
    machine.wait_available("mine")

    def renew(spec: Manifest) -> None:
        probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1}
        new = box("--answer", "2", "--ready-after", "1", readinessProbe=probe)
        spec["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0] = new

    machine.update("mine", renew)
    answers = []
    end = time.monotonic() + 15
    while time.monotonic() < end and (not answers or answers[-1] != 2):
        answers.append(ask(machine, "mine", 0)["data"]["ndarray"][0][0])
    assert answers[0] == 1
    assert answers[-1] == 2
    assert answers == sorted(answers)
