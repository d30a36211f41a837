"""The prepackaged model servers of a default Seldon Core installation, as data.

Source: Seldon Core reference, section 4 (config map ``seldon-config``, key ``predictor_servers``), v1.17.1.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "1.17.1"
MLSERVER_VERSION = "1.3.5"

ENGINE_IMAGE = f"docker.io/seldonio/seldon-core-executor:{VERSION}"
STORAGE_INITIALIZER_IMAGE = "seldonio/rclone-storage-initializer:1.14.1"
MODELS_PATH = "/mnt/models"

_BUILT_IN = frozenset(
    {"", "UNKNOWN_IMPLEMENTATION", "SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"}
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One prepackaged server: its image per protocol and, if MLServer runs it, MLServer's class for it."""

    images: dict[str, str]
    mlserver_implementation: str = ""


def _mlserver(flavour: str) -> str:
    return f"seldonio/mlserver:{MLSERVER_VERSION}-{flavour}"


SERVERS: dict[str, Server] = {
    "SKLEARN_SERVER": Server(
        images={"seldon": f"seldonio/sklearnserver:{VERSION}", "v2": _mlserver("sklearn")},
        mlserver_implementation="mlserver_sklearn.SKLearnModel",
    ),
    "XGBOOST_SERVER": Server(
        images={"seldon": f"seldonio/xgboostserver:{VERSION}", "v2": _mlserver("xgboost")},
        mlserver_implementation="mlserver_xgboost.XGBoostModel",
    ),
    "MLFLOW_SERVER": Server(
        images={"seldon": f"seldonio/mlflowserver:{VERSION}", "v2": _mlserver("mlflow")},
        mlserver_implementation="mlserver_mlflow.MLflowRuntime",
    ),
    "TENSORFLOW_SERVER": Server(
        images={"seldon": f"seldonio/tfserving-proxy:{VERSION}", "tensorflow": "tensorflow/serving:2.1.0"}
    ),
    "TRITON_SERVER": Server(images={"v2": "nvcr.io/nvidia/tritonserver:21.08-py3"}),
    "HUGGINGFACE_SERVER": Server(
        images={"v2": _mlserver("huggingface")},
        mlserver_implementation="mlserver_huggingface.HuggingFaceRuntime",
    ),
    "TEMPO_SERVER": Server(
        images={"v2": _mlserver("slim")}, mlserver_implementation="tempo.mlserver.InferenceRuntime"
    ),
}

EXPLAINER_IMAGES = {"seldon": f"seldonio/alibiexplainer:{VERSION}", "v2": _mlserver("alibi-explain")}


def protocol_key(protocol: str | None) -> str:
    """``kfserving`` and ``v2`` are synonyms; no protocol means ``seldon``."""
    return {"kfserving": "v2", "": "seldon"}.get(protocol or "", protocol or "seldon")


def is_prepackaged(implementation: str | None) -> bool:
    """Whether a graph node names a model server, instead of having its own container."""
    return (implementation or "") not in _BUILT_IN


def is_hardcoded(implementation: str | None) -> bool:
    """Whether the engine itself implements the node, without a container."""
    return implementation in _BUILT_IN - {"", "UNKNOWN_IMPLEMENTATION"}
