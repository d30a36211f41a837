"""The picture of the layers is that of the import contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.layers import PICTURE, ROOT, drawing, layers

PACKAGE = ROOT / "airflow_provider_seldon"

CONTRACT = """
[[tool.importlinter.contracts]]
name = "Rooms of another folder"
type = "layers"
layers = ["airflow_provider_seldon.local.cluster", "airflow_provider_seldon.local.client"]

[[tool.importlinter.contracts]]
name = "Layers"
type = "layers"
layers = ["airflow_provider_seldon.operators | airflow_provider_seldon.sensors", "(hooks)", "core"]
"""


def test_the_picture_of_the_layers_is_up_to_date() -> None:
    assert PICTURE.read_text() == drawing(layers(ROOT / "pyproject.toml")), "run: python tools/layers.py"


def test_a_changed_contract_changes_the_picture(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(CONTRACT)
    found = layers(tmp_path / "pyproject.toml")
    assert found == [("operators", "sensors"), ("hooks",), ("core",)]
    assert drawing(found) != drawing([*found, ("another",)])


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_module_and_every_folder_that_these_pages_name_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    files = set(re.findall(r"`((?:[a-z_]+/)*\w+\.py)`", text))
    folders = set(re.findall(r"`([a-z_]+/(?:\w+/)*)`", text))
    assert len(files) > 20
    assert folders
    places = (ROOT, PACKAGE)
    assert [name for name in files if not any((top / name).is_file() for top in places)] == []
    assert [name for name in folders if not any((top / name).is_dir() for top in places)] == []
