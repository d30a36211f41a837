"""
The changes of a write as readable text: a unified diff of two SeldonDeployments.

It shows what a user writes: the spec, labels and annotations, and the expiry. It leaves out what the server
and this provider add. A deployment of another owner may hold credentials in plain text; values that look like
one are masked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import yaml

from airflow_provider_seldon.core.credentials.words import looks_like_credential
from airflow_provider_seldon.core.identity.annotations import is_reserved
from airflow_provider_seldon.core.lifetime.expiry import expiry_of
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

MASK = "***"
#: Contains a copy of the whole object.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_CREDENTIAL_IN_TEXT = re.compile(r"(?i)((?:password|passwd|secret|token|api[-_]?key)[\w-]*[=:]\s*)[^\s\"']+")


def difference(before: SeldonDeployment | None, after: SeldonDeployment | None) -> str:
    """
    Return the unified diff between two versions of a deployment, in YAML; "" when a user would see no difference.

    :param before: the existing deployment; None when there is none.
    :param after: the deployment after the write; None when it would be deleted.
    """
    known = after or before
    name = known.name if known else ""
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        fromfile=f"{name} (as it is)" if before else "(none)",
        tofile=f"{name} (as it would be)" if after else "(none)",
        lineterm="",
    )
    return "\n".join(lines)


def holds_credentials(value: Any) -> bool:
    """Return whether something in a manifest looks like a credential in plain text."""
    return _masks(_shown(value)) > _masks(value)


def _masks(value: Any) -> int:
    """Count the masked places."""
    if isinstance(value, Mapping):
        return sum(_masks(item) for item in value.values())
    if isinstance(value, list):
        return sum(_masks(item) for item in value)
    return value.count(MASK) if isinstance(value, str) else 0


def _lines(deployment: SeldonDeployment | None) -> list[str]:
    if deployment is None:
        return []
    manifest = deployment.to_manifest()
    metadata = manifest.get("metadata") or {}
    expiry = expiry_of(deployment)
    shown = {
        **({"expires": str(expiry)} if expiry else {}),
        "metadata": {kind: metadata[kind] for kind in ("labels", "annotations") if metadata.get(kind)},
        "spec": manifest.get("spec"),
    }
    text = yaml.safe_dump(_shown(shown), sort_keys=True, allow_unicode=True, width=1000)
    return text.splitlines()


def _shown(value: Any) -> Any:
    """Return a copy without reserved keys, empty mappings and credentials."""
    if isinstance(value, Mapping):
        named_credential = looks_like_credential(str(value.get("name", ""))) and "value" in value
        shown = {}
        for key, item in value.items():
            if item is None or is_reserved(str(key)) or key == _LAST_APPLIED:
                continue
            hidden = (
                isinstance(item, str)
                and item
                and (
                    (named_credential and key == "value")
                    or (key != "key" and looks_like_credential(str(key)))
                )
            )
            kept = MASK if hidden else _shown(item)
            if kept != {} or item == {}:
                shown[key] = kept
        return shown
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, str):
        return _CREDENTIAL_IN_TEXT.sub(rf"\g<1>{MASK}", _LOGIN_IN_URL.sub(f"{MASK}@", value))
    return value
