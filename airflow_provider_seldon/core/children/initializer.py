"""
Whether the initializer that copies a model into a pod copies the model of the spec.

The operator names it after its container, and cuts the name at 63 characters. Source: real operator, what
rolls pods.
"""

from __future__ import annotations

from airflow_provider_seldon.core.resource.unstructured import Object, items_at, text_at, value_at

#: Target directory of the copy.
MODEL_PATH = "/mnt/models"

_SUFFIX = "-model-initializer"
_CLAIM = "pvc://"
_CLAIM_VOLUME = "kfserving-pvc-source"
_CLAIM_PATH = "/mnt/pvc"


def initializer_name(container: str) -> str:
    """Return the name of the initializer that copies for a container."""
    name = f"{container}{_SUFFIX}"
    return name if len(name) <= 63 else name[:63].removesuffix("-")


def initializer_of(child: Object, container: str) -> Object:
    """Return the initializer that copies for a container; empty when there is none."""
    name = initializer_name(container)
    initializers = items_at(child, "spec", "template", "spec", "initContainers")
    return next((one for one in initializers if text_at(one, "name") == name), {})


def initializer_difference(child: Object, container: str, holder: Object, *, needed: bool = False) -> str:
    """
    Return how the initializer for a container differs from the spec; empty when it does not.

    :param holder: the object with ``modelUri``: a node of the graph, or an explainer.
    :param needed: whether it must exist; otherwise a missing one is no difference.
    """
    uri = text_at(holder, "modelUri")
    if not uri:
        return ""
    found = initializer_of(child, container)
    arguments = value_at(found, "args")
    if not isinstance(arguments, list) or not arguments:
        return f"it does not load {uri}" if needed else ""
    return (
        _source_difference(child, arguments[0], uri)
        or _secret_difference(found, text_at(holder, "envSecretRefName"))
        or _image_difference(found, text_at(holder, "storageInitializerImage"))
    )


def _source_difference(child: Object, source: object, uri: str) -> str:
    if not uri.startswith(_CLAIM):
        return "" if source == uri else f"it loads {source}, not {uri}"
    claim, _, path = uri.removeprefix(_CLAIM).partition("/")
    if source != f"{_CLAIM_PATH}/{path}":
        return f"it loads {source}, not {uri}"
    volumes = items_at(child, "spec", "template", "spec", "volumes")
    mounted = [
        text_at(one, "persistentVolumeClaim", "claimName")
        for one in volumes
        if one.get("name") == _CLAIM_VOLUME
    ]
    return f"it loads from {mounted[0]}, not {uri}" if mounted and mounted[0] != claim else ""


def _secret_difference(initializer: Object, secret: str) -> str:
    """Compare the Secret; if the spec has none, the operator's own configuration (unknown) decides."""
    found = [text_at(one, "secretRef", "name") for one in items_at(initializer, "envFrom")]
    return f"its initializer does not use Secret {secret}" if secret and secret not in found else ""


def _image_difference(initializer: Object, image: str) -> str:
    return (
        f"its initializer has a different image from {image}"
        if image and initializer.get("image") != image
        else ""
    )
