"""
Airflow assets for deployments: ``seldon://<namespace>/<deployment>``.

Such an asset is updated whenever a new version of the model has become ready; see
:mod:`airflow_provider_seldon.operators.asset_events`. Airflow 2.11 calls assets datasets; the functions are
the same. Airflow finds the handler, the factory and the converter through the provider's metadata. Importing
this module imports only Python's own URL parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.providers.common.compat.sdk import Asset

SCHEME = "seldon"

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Return the canonical form of a ``seldon`` URI; Airflow calls this for every asset.

    :raises ValueError: it does not name a deployment; Airflow 2.11 only warns, unless ``[core]
        strict_dataset_uri_validation`` is set.
    """
    namespace, name = uri.netloc.lower(), uri.path.strip("/")
    problem = ""
    if not _NAMESPACE.match(namespace):
        problem = f"{uri.netloc!r} is not a Kubernetes namespace" if namespace else "the namespace is missing"
    elif not _NAME.match(name):
        problem = (
            f"{name!r} is not a name of a SeldonDeployment" if name else "the deployment's name is missing"
        )
    elif uri.query or uri.fragment:
        problem = "there is text after the deployment's name"
    if problem:
        raise ValueError(
            f"URI format {SCHEME}://<namespace>/<deployment> is violated by {uri.geturl()}: {problem}. "
            "If the name is not known when the DAG is parsed, use an AssetAlias (Airflow 2: "
            "DatasetAlias) instead."
        )
    return SplitResult(SCHEME, namespace, f"/{name}", "", "")


def seldon_asset(namespace: str, name: str, *, extra: Mapping[str, Any] | None = None) -> Asset:
    """
    Return the asset of a deployment, for ``outlets`` of the task that deploys it and ``schedule`` of
    downstream DAGs.

    :param namespace: namespace of the deployment.
    :param name: its name: the argument ``name`` of the deploying operator.
    :param extra: stored with the asset, not with its events.
    :raises ValueError: Kubernetes does not allow these names.
    """
    from airflow.providers.common.compat.sdk import Asset

    uri = sanitize_uri(urlsplit(f"{SCHEME}://{namespace}/{name}")).geturl()
    return Asset(uri=uri, extra=dict(extra) if extra else None)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Return the OpenLineage dataset of a deployment: namespace ``seldon://<namespace>``, its name as name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{parts.netloc}", name=parts.path.strip("/"))
