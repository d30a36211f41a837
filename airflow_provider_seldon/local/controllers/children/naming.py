"""Names of the operator's objects for a SeldonDeployment (Seldon Core reference, section 7.2). Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig, name_of

MAX_NAME = 63
ANNOTATION_SERVICE_NAME = "seldon.io/svc-name"


def _fit(name: str) -> str:
    """A name that is too long becomes ``seldon-`` and the MD5 of the name, not of the content."""
    if len(name) <= MAX_NAME:
        return name
    return "seldon-" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def deployment_id(deployment: Manifest) -> str:
    """Value of the label ``seldon-deployment-id``."""
    return _fit(name_of(deployment))


def predictor_service(deployment: Manifest, predictor: Manifest) -> str:
    """The Service of a predictor; also the value of the label ``seldon-app``."""
    given: Any = dig(predictor, "annotations", ANNOTATION_SERVICE_NAME)
    return str(given) if given else _fit(f"{name_of(deployment)}-{predictor['name']}")


def container_service(deployment: Manifest, predictor: Manifest, container: str) -> str:
    """The Service of one graph container."""
    return _fit(f"{name_of(deployment)}-{predictor['name']}-{container}")


def component_deployment(deployment: Manifest, predictor: Manifest, component: Manifest, index: int) -> str:
    """The Deployment of one entry of ``componentSpecs`` (container names are those after defaulting)."""
    given = dig(component, "metadata", "name")
    containers = dig(component, "spec", "containers", default=[])
    suffix = given or "-".join(container["name"] for container in containers)
    return _fit(f"{name_of(deployment)}-{predictor['name']}-{index}-{suffix}")


def engine_deployment(deployment: Manifest, predictor: Manifest) -> str:
    """The Deployment of an engine that runs in separate pods."""
    return _fit(f"{name_of(deployment)}-{predictor['name']}-svc-orch")


def explainer(deployment: Manifest, predictor: Manifest) -> str:
    """The Deployment and the Service of a predictor's explainer."""
    return _fit(f"{name_of(deployment)}-{predictor['name']}-explainer")
