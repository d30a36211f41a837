"""Namespaces of a test cluster, made and removed with plain requests."""

from __future__ import annotations

import requests

#: Found by it if a session was killed before it removed them: ``kubectl delete namespaces -l ...``.
LABEL = {"app.kubernetes.io/part-of": "airflow-provider-seldon-tests"}


def create(api_url: str, name: str) -> None:
    """Make a namespace."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": LABEL}}
    requests.post(f"{api_url}/api/v1/namespaces", json=body, timeout=30).raise_for_status()


def delete(api_url: str, name: str) -> None:
    """Delete a namespace with all that is in it."""
    requests.delete(f"{api_url}/api/v1/namespaces/{name}", timeout=30).raise_for_status()
