"""Which images this machine can run, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.local.kubelet.containers.images import Program, Role, program_of
from airflow_provider_seldon.local.kubelet.containers.interface import StartError


def program(image: str, *, python: str | None = "python", **container: Any) -> Program:
    box = {"name": "model", "image": image} | container
    images = {"example/model": ["serve", "--model"], "example/model:2": ["serve-two"]}
    return program_of(box, images=images, mlserver_python=python)


@pytest.mark.parametrize(
    ("image", "role"),
    [
        ("seldonio/rclone-storage-initializer:1.14.1", Role.INITIALIZER),
        ("docker.io/seldonio/rclone-storage-initializer:1.17.1", Role.INITIALIZER),
        ("seldonio/sklearnserver:1.17.1", Role.MLSERVER),
        ("seldonio/xgboostserver:1.15.0", Role.MLSERVER),
        ("seldonio/mlserver:1.3.5-sklearn", Role.MLSERVER),
        ("seldonio/mlserver:1.3.5", Role.MLSERVER),
        ("example/model:1.0", Role.COMMAND),
        ("registry.example:5000/team/app@sha256:" + "0" * 64, None),
        ("seldonio/mlserver:1.3.5-huggingface", None),
        ("seldonio/mock_classifier:1.3", None),
    ],
)
def test_known_images(image: str, role: Role | None) -> None:
    if role is not None:
        assert program(image).role is role
        return
    with pytest.raises(StartError) as refused:
        program(image)
    assert refused.value.reason == "ErrImagePull"
    assert f'Failed to pull image "{image}"' in refused.value.message


@pytest.mark.parametrize(
    "image", ["", "Not A Name", "UPPER/case:1", "a//b", "name:", "name:tag with blank", ":1"]
)
def test_names_that_no_kubelet_takes(image: str) -> None:
    with pytest.raises(StartError) as refused:
        program(image, command=["true"])
    assert refused.value.reason == "InvalidImageName"


def test_command_of_the_container_wins_over_the_image() -> None:
    assert program("seldonio/sklearnserver:1", command=["mine"]) == Program(
        role=Role.COMMAND, command=("mine",)
    )


def test_registered_image_with_tag_wins_over_the_one_without() -> None:
    assert program("example/model:2").command == ("serve-two",)
    assert program("example/model:3").command == ("serve", "--model")


def test_engine_is_known_by_the_containers_name() -> None:
    assert program("any/thing:1", name="seldon-container-engine").role is Role.ENGINE


def test_mlserver_stands_in_for_seldons_own_server() -> None:
    own, mlserver = program("seldonio/sklearnserver:1.17.1"), program("seldonio/mlserver:1.3.5-sklearn")
    assert (own.seldon_protocol, mlserver.seldon_protocol) == (True, False)
    assert own.implementation == mlserver.implementation == "mlserver_sklearn.SKLearnModel"


def test_missing_mlserver_is_said_with_the_fix() -> None:
    with pytest.raises(StartError, match="SELDON_LOCAL_MLSERVER_PYTHON"):
        program("seldonio/sklearnserver:1.17.1", python=None)
