"""
Read a kubeconfig as ``kubectl`` does where the official client does not: ``proxy-url``, and failing plugins.

Nothing here quotes a value of the kubeconfig: any value may be a credential.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import ConfigNode, FileOrData, KubeConfigLoader, KubeConfigMerger

from airflow_provider_seldon.core.resource.unstructured import mapping_at, text_at
from airflow_provider_seldon.exceptions import ConnectionConfigError, CredentialPluginError
from airflow_provider_seldon.kube.access.exec_plugin import run_plugin

if TYPE_CHECKING:
    from kubernetes.client import Configuration

#: How often a kubeconfig may be encoded as JSON text: a connection's extra is JSON text itself.
ENCODED = 3
#: Proxies that the official client and aiohttp support.
PROXY_SCHEMES = ("http", "https")
_PATH = re.compile(r"[~.]?[\w.-]*/[^\n{}:]{0,500}|[\w.-]+\.(?:ya?ml|json|conf)")


def parse(given: str) -> dict[str, Any]:
    """
    Return the kubeconfig in a connection's field: JSON or YAML, also if it was encoded twice.

    :raises ConnectionConfigError: it is something else; names that and the fix.
    """
    value: Any = given
    for _ in range(ENCODED):
        if not isinstance(value, str):
            break
        text, value = value, _loaded(value)
        if value == text:
            break
    if not isinstance(value, Mapping):
        raise ConnectionConfigError(f"kube_config {_what(value)}")
    _check(value)
    return dict(value)


def read(
    configuration: Configuration, *, path: str | None, inline: str | None, context: str | None, temporary: str
) -> str:
    """
    Set a configuration from a kubeconfig, and return the namespace of its context; "" for none.

    :param path: path of the file; the default one without a path and ``inline``.
    :param inline: the kubeconfig itself.
    :param context: its current context when None.
    :param temporary: folder for keys in its data.
    :raises CredentialPluginError: its exec plugin returns no credentials.
    """
    from kubernetes.config import kube_config as module

    persist = None
    if inline is not None:
        config = ConfigNode("kube-config", parse(inline))
    else:
        merger = KubeConfigMerger(path or module.KUBE_CONFIG_DEFAULT_LOCATION)
        config, persist = merger.config, merger.save_changes
        if config is None:
            raise ConfigException("there is no such file")
    loader = _Loader(
        config_dict=config,
        active_context=context,
        config_base_path=None,
        config_persister=persist,
        temp_file_path=temporary,
    )
    loader.load_and_set(configuration)
    set_proxy(configuration, loader.proxy_url)
    if loader.wants_plugin and not (configuration.api_key or configuration.cert_file):
        raise CredentialPluginError("The exec plugin of the kubeconfig returned no credentials.")
    return text_at(loader.current_context, "context", "namespace")


def set_proxy(configuration: Configuration, url: Any) -> None:
    """
    Use a cluster's ``proxy-url`` for a configuration, whatever the proxy settings of the environment.

    :raises ConnectionConfigError: it is not the URL of an HTTP proxy.
    """
    from urllib3.util import make_headers

    if not url:
        return
    try:
        parts = urlsplit(str(url))
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in PROXY_SCHEMES:
        raise ConnectionConfigError(
            "The proxy-url of the kubeconfig's cluster is not the URL of an HTTP proxy; give it as "
            "http(s)://host:port. SOCKS proxies, which kubectl also supports, are not supported."
        )
    host = f"[{host}]" if ":" in host else host
    configuration.proxy = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    configuration.no_proxy = ""
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        configuration.proxy_headers = make_headers(proxy_basic_auth=login)


class _Loader(KubeConfigLoader):
    """The official loader, with a plugin's failure as an error."""

    @property
    def proxy_url(self) -> Any:
        return self._cluster.safe_get("proxy-url")

    @property
    def wants_plugin(self) -> bool:
        return bool(self._user) and "exec" in self._user and "token" not in self._user

    def _load_from_exec_plugin(self) -> bool | None:
        if not self._user or "exec" not in self._user:
            return None
        spec = self._user["exec"]
        folder = self._get_base_path(self._cluster.path)
        status = run_plugin(spec.value, cluster=self._cluster.value, folder=folder)
        if token := text_at(status, "token"):
            self.token = f"Bearer {token}"
        else:
            for attribute, key in (("cert_file", "clientCertificateData"), ("key_file", "clientKeyData")):
                data = FileOrData(
                    status,
                    None,
                    data_key_name=key,
                    base64_file_content=False,
                    temp_file_path=self._temp_file_path,
                )
                setattr(self, attribute, data.as_file())
        if expiry := text_at(status, "expirationTimestamp"):
            from kubernetes.config.dateutil import parse_rfc3339

            self.expiry = parse_rfc3339(expiry)
        return True


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def _what(value: Any) -> str:
    if value is None:
        return "is empty"
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not a kubeconfig; give one mapping, as JSON or YAML"
    try:
        decoded = _loaded(base64.b64decode("".join(value.split()), validate=True).decode())
    except (ValueError, yaml.YAMLError, RecursionError):
        decoded = None
    if isinstance(decoded, Mapping):
        return "is encoded in base64; give the kubeconfig itself, as JSON or YAML"
    if _PATH.fullmatch(value.strip()):
        return "looks like a path; put it into kube_config_path"
    return "is text that is not a kubeconfig; give one mapping, as JSON or YAML"


def _check(config: Mapping[str, Any]) -> None:
    """Check what the official client does not validate, and fails on."""
    for section, singular in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        entries = config.get(section) or []
        if not isinstance(entries, list):
            raise ConnectionConfigError(f"kube_config: {section} is not a list")
        for number, entry in enumerate(entries):
            if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
                raise ConnectionConfigError(f"kube_config: {section}[{number}] has no name")
            if not isinstance(entry.get(singular) or {}, Mapping):
                raise ConnectionConfigError(f"kube_config: {section}[{number}].{singular} is not a mapping")
    if not text_at(mapping_at({"config": config}, "config"), "current-context") and config.get(
        "current-context"
    ):
        raise ConnectionConfigError("kube_config: current-context is not text")
