"""
Check names of Kubernetes objects before they become parts of URLs and selectors.

A name can come from a template, and its value from any user who may trigger a DAG run. ``../../other/things``
in a path leads to another namespace, and a comma in a selector adds a condition; neither is a valid name
(Kubernetes documentation, "Object Names and IDs").
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

from airflow_provider_seldon.core.invalid_request import InvalidRequestError

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
#: Valid characters of a path below a deployment; a query may follow.
_PATH = re.compile(r"[-A-Za-z0-9._~!$&'()*+,;=:@/%]*(\?[-A-Za-z0-9._~!$&'()*+,;=:@/%?]*)?\Z")
_SHOWN = 80


def checked_name(name: Any, field: str = "name") -> str:
    """
    Return a valid name, quoted for URLs.

    :raises InvalidRequestError: it is not a DNS-1123 subdomain.
    """
    if not isinstance(name, str) or not _SUBDOMAIN.match(name):
        raise InvalidRequestError.of(
            field,
            "is not the name of a Kubernetes object",
            "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            value=str(name)[:_SHOWN],
        )
    return quote(name, safe="")


def checked_namespace(namespace: Any, field: str = "namespace") -> str:
    """
    Return a valid namespace.

    :raises InvalidRequestError: it is not a DNS-1123 label.
    """
    if not isinstance(namespace, str) or not _LABEL.match(namespace):
        raise InvalidRequestError.of(
            field,
            "is not the name of a namespace",
            "use at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
            value=str(namespace)[:_SHOWN],
        )
    return quote(namespace, safe="")


def checked_path(path: Any, field: str = "path") -> str:
    """
    Return a path that stays below its base, with a leading slash.

    :raises InvalidRequestError: it leads elsewhere, or is not a valid path of a URL.
    """
    text = str(path)
    plain = text.partition("?")[0]
    for _ in range(3):  # %252e is a dot for a gateway that decodes twice
        plain = unquote(plain)
    odd = "\\" in plain or any(ord(one) < 32 for one in plain)
    if not _PATH.match(text) or odd or {".", ".."} & set(plain.split("/")):
        raise InvalidRequestError.of(
            field,
            "is not a path below the deployment's URL",
            "give one such as /api/v1.0/metadata, with other characters escaped",
            value=text[:_SHOWN],
        )
    return f"/{text.lstrip('/')}"
