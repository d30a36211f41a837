"""The start of MLServer for a container. Pure.

In a cluster the image runs ``mlserver start`` on the mounted model, and the operator's ``MLSERVER_*``
variables set the runtime and the ports; here it is the same, with a Python that has MLServer. If it replaces
one of Seldon's own servers, only the file that this server reads counts (Seldon Core reference, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airflow_provider_seldon.local.kubelet.containers.images import Program
from airflow_provider_seldon.local.kubelet.containers.ports import Ports, free_ports

_SELDON_FILES = {
    "mlserver_sklearn.SKLearnModel": ("model.joblib",),
    "mlserver_xgboost.XGBoostModel": ("model.bst", "model.json"),
}


def command(python: str, models: Path) -> list[str]:
    """The command line."""
    return [python, "-c", "from mlserver.cli import main; main()", "start", str(models)]


def environment(
    program: Program, env: Mapping[str, str], *, name: str, models: Path, ports: Ports
) -> dict[str, str]:
    """The variables that configure MLServer.

    :param env: the container's own variables
    :param name: the container, which is also the model's name unless a variable sets another one
    :param models: the directory with the model's files
    :param ports: the container's ports on this machine
    """
    http, grpc, metrics = ports.local("http"), ports.local("grpc"), ports.local("metrics")
    spare = free_ports(3)
    values = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(http or spare[0]),
        "MLSERVER_GRPC_PORT": str(grpc or spare[1]),
        "MLSERVER_METRICS_PORT": str(metrics or spare[2]),
        "MLSERVER_PARALLEL_WORKERS": env.get("MLSERVER_PARALLEL_WORKERS", "0"),
        "MLSERVER_MODEL_NAME": env.get("MLSERVER_MODEL_NAME", name),
        "MLSERVER_MODEL_URI": env.get("MLSERVER_MODEL_URI", str(models)),
    }
    if program.implementation:
        values["MLSERVER_MODEL_IMPLEMENTATION"] = env.get(
            "MLSERVER_MODEL_IMPLEMENTATION", program.implementation
        )
    if program.seldon_protocol:
        values["MLSERVER_MODEL_URI"] = str(_seldon_file(program, models))
    return values


def _seldon_file(program: Program, models: Path) -> Path:
    files = _SELDON_FILES[program.implementation]
    found = [models / file for file in files if (models / file).exists()]
    return found[0] if found else models / files[0]
