"""Generated manifests: JSON of any shape whose keys are, more often than not, those of the CRD."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from airflow_provider_seldon.core.resource import seldon_deployment
from airflow_provider_seldon.core.resource.manifest_model import ManifestModel

_MODELS = [
    model
    for model in vars(seldon_deployment).values()
    if isinstance(model, type) and issubclass(model, ManifestModel) and model is not ManifestModel
]


def _keys() -> list[str]:
    names: set[str] = set()
    for model in _MODELS:
        model.model_rebuild()
        for name, field in model.model_fields.items():
            names |= {name, field.alias or name}
    return sorted(names)


keys = st.sampled_from(_keys()) | st.text(max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "MODEL", "SKLEARN_SERVER", "UNKNOWN_IMPLEMENTATION", "True", "Available", "rest", "kafka"]
    )
    | st.text(max_size=12)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=20,
)
_nodes: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(keys, json_values, max_size=5),
    lambda inner: st.fixed_dictionaries(
        {"children": st.lists(inner, max_size=2)},
        optional={"name": scalars, "implementation": scalars, "type": scalars, "endpoint": json_values},
    ),
    max_leaves=4,
)
_predictors = st.fixed_dictionaries(
    {"graph": _nodes | json_values},
    optional={
        "name": scalars,
        "traffic": scalars,
        "annotations": json_values,
        "componentSpecs": st.lists(
            st.fixed_dictionaries({}, optional={"spec": json_values, "hpaSpec": json_values}), max_size=2
        )
        | json_values,
        "svcOrchSpec": json_values,
        "explainer": json_values,
        "unknown": json_values,
    },
)
manifests: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"kind": st.just(seldon_deployment.KIND)},
    optional={
        "apiVersion": st.sampled_from(
            [f"{seldon_deployment.GROUP}/{version}" for version in seldon_deployment.SERVED_VERSIONS]
        ),
        "metadata": json_values,
        "spec": st.fixed_dictionaries(
            {"predictors": st.lists(_predictors, max_size=3)}, optional={"protocol": scalars}
        )
        | json_values,
        "status": json_values,
        "unknown": json_values,
    },
)
