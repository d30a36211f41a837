"""
Run the credential plugin of a kubeconfig, as ``kubectl`` does.

The official client continues without credentials if a plugin fails, so that the API server then reports
``system:anonymous`` and missing permissions, and it waits for the plugin without a limit. Here a failing
plugin is an error that names it and quotes its output. Source: Kubernetes documentation, "Authenticating",
client-go credential plugins.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.resource.unstructured import text_at, value_at
from airflow_provider_seldon.exceptions import CredentialPluginError

#: Timeout of one run in seconds. Plugins call an identity provider over the network.
TIMEOUT = 60.0
#: Characters of a plugin's output that are shown.
SAID = 400

#: Possible credentials in a plugin's output: tokens, headers, assignments, and long random words.
_SECRETS = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)*"
    r"|\b(?i:bearer|basic)\s+\S+"
    r"|(?i:\b[\w-]*(?:token|secret|password|passwd|api-?key|access-?key|signature)[\w-]*[\"']?\s*[=:]\s*)\S+"
    r"|(?=[\w+=-]*\d)[\w+=-]{24,}"
)


def run_plugin(spec: Mapping[str, Any], *, cluster: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
    """
    Run a plugin and return the status of its answer: ``token``, or a client certificate and its key.

    :param spec: ``users[].user.exec`` of the kubeconfig.
    :param cluster: ``clusters[].cluster``, for plugins that request it.
    :param folder: folder of the kubeconfig, for commands with a relative path; "" for none.
    :raises CredentialPluginError: it is missing, fails, times out, or has an invalid answer.
    """
    command, version = text_at(spec, "command"), text_at(spec, "apiVersion")
    if not command or not version:
        raise CredentialPluginError("The exec plugin of the kubeconfig has no command or no apiVersion.")
    name = f"The exec plugin {command!r} of the kubeconfig"
    problem = ""
    try:
        done = subprocess.run(
            [command, *_texts(spec.get("args"))],
            env={**os.environ, **_environment(spec), "KUBERNETES_EXEC_INFO": _info(spec, version, cluster)},
            cwd=folder or None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"did not answer within {TIMEOUT:.0f} s"
    except (OSError, ValueError) as error:
        hint = f" {said(text_at(spec, 'installHint'))}" if text_at(spec, "installHint") else ""
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        problem = f"cannot be run ({reason}); install it where this task runs.{hint}"
    if problem:
        raise CredentialPluginError(f"{name} {problem}")
    if done.returncode:
        told = said(done.stderr.decode("utf-8", "replace")) or "without any output"
        raise CredentialPluginError(f"{name} failed with exit code {done.returncode}: {told}")
    return _status(done.stdout, version, name)


def said(text: str) -> str:
    """Return the end of a plugin's output on one line, with possible credentials masked."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _SECRETS.sub("***", " / ".join(lines[-4:]))[-SAID:]


def _status(answer: bytes, version: str, name: str) -> Mapping[str, Any]:
    problem = ""
    try:
        credential = json.loads(answer)
    except (ValueError, RecursionError):
        problem = "answered with something that is not JSON"  # and may hold the token
    else:
        status = value_at(credential, "status")
        if text_at(credential, "kind") != "ExecCredential":
            problem = "answered with something that is not an ExecCredential"
        elif text_at(credential, "apiVersion") != version:
            problem = f"answered with another version than {version} of the kubeconfig"
        elif not text_at(status, "token") and not (
            text_at(status, "clientCertificateData") and text_at(status, "clientKeyData")
        ):
            problem = "answered with neither a token nor a certificate and its key"
    if problem:
        raise CredentialPluginError(f"{name} {problem}.")
    found: Mapping[str, Any] = status
    return found


def _info(spec: Mapping[str, Any], version: str, cluster: Mapping[str, Any]) -> str:
    info: dict[str, Any] = {"interactive": False}
    if spec.get("provideClusterInfo"):
        info["cluster"] = dict(cluster)
        for extension in cluster.get("extensions") or ():
            if text_at(extension, "name") == "client.authentication.k8s.io/exec":
                info["cluster"]["config"] = value_at(extension, "extension")
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": info}, default=str)


def _environment(spec: Mapping[str, Any]) -> dict[str, str]:
    given = spec.get("env")
    entries = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    return {
        text_at(one, "name"): str(value_at(one, "value") or "") for one in entries if text_at(one, "name")
    }


def _texts(given: Any) -> list[str]:
    return [str(one) for one in given] if isinstance(given, Sequence) and not isinstance(given, str) else []
