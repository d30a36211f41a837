"""
What ZenML's Seldon integration got wrong, where no cluster is needed to show that it is right here: the rows of
``docs/seed-checklist.md`` that belong to no single part.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import airflow_provider_seldon
from airflow_provider_seldon.core.identity.annotations import LABEL_MODEL_NAME
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.resource.predictor import Predictor
from airflow_provider_seldon.core.resource.seldon_deployment import DeploymentState, SeldonDeployment
from airflow_provider_seldon.core.storage.rclone_secret import rclone_settings, secret_name
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection

PACKAGE = Path(airflow_provider_seldon.__file__).parent
ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
#: What talks to anything over a network, and the only places that may: the clients of cluster, gateway and Prometheus.
NETWORK = {"requests", "aiohttp", "httpx", "http", "socket", "urllib"}
MAY_USE_THE_NETWORK = (
    *("kube/", "delivery/gateway/"),
    "delivery/analysis/prometheus.py",
    "hooks/origins/rest_api.py",
)


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield the modules that run inside of Airflow, by their path in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(("local/", "serving/")):
            yield name, ast.parse(path.read_text())


def log_calls(tree: ast.Module) -> Iterator[tuple[int, str, list[ast.expr]]]:
    """Yield line, text and arguments of each call of a logger with a constant text."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value)
        if node.func.attr in LEVELS and owner.split(".")[-1] in {"log", "_log", "logger"} and node.args:
            text, *arguments = node.args
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield node.lineno, text.value, arguments


def test_every_log_line_has_as_many_arguments_as_placeholders() -> None:
    """One of the seed's had one too few, so that logging itself failed and the cause was lost."""
    seen = 0
    for name, tree in sources():
        for line, text, arguments in log_calls(tree):
            seen += 1
            placeholders = re.findall(r"%[^%]", text.replace("%%", ""))
            assert any(isinstance(one, ast.Starred) for one in arguments) or len(placeholders) == len(
                arguments
            ), f"{name}:{line}: {text!r}"
    assert seen > 20


def test_only_the_cluster_and_the_gateway_are_ever_called() -> None:
    """The seed reported each deploy to its makers."""
    for name, tree in sources():
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module != "urllib.parse"
        }
        assert name.startswith(MAY_USE_THE_NETWORK) or not imported & NETWORK, name


def test_no_dependency_is_pinned_to_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(one for extra in extras for one in extra)]
    assert requirements
    assert [one for one in requirements if "==" in one] == []
    assert not any(one.startswith("seldon-core") for one in project["dependencies"])


def test_an_empty_resource_and_a_predictor_without_a_graph_can_be_made() -> None:
    """The seed's models could not be made without arguments, though all of them were optional."""
    empty = SeldonDeployment()
    assert (empty.name, empty.predictors, empty.state) == ("", [], DeploymentState.UNKNOWN)
    assert Predictor(name="default").graph is None
    assert SeldonDeployment.from_manifest({"spec": {"predictors": [{"name": "a"}]}}).predictors[0].nodes == []


def test_labels_that_the_seed_took_for_equal_differ() -> None:
    names = ("a/b", "a_b", "a b", "///", "", "x" * 70 + "-EU", "x" * 70 + "-US")
    labels = [Identity(dag_id="d", model_name=name).labels().get(LABEL_MODEL_NAME) for name in names]
    assert len(set(labels)) == len(names)


def test_storage_connections_whose_names_look_alike_do_not_share_a_secret() -> None:
    """The seed made one name of ``My_Secret`` and ``my-secret``, and one team got the keys of another."""
    teams = {"My_Secret": "key-of-one-team", "my-secret": "key-of-the-other"}
    names = {
        secret_name(
            rclone_settings(
                StorageConnection(conn_id=conn_id, conn_type="aws", login="AKIAX", password=key), {"s3"}
            )
        )
        for conn_id, key in teams.items()
    }
    assert len(names) == 2
