"""Request bodies and write options: JSON or YAML text into manifests, query parameters into options.

Purpose: all checks of a write that do not need the stored object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from airflow_provider_seldon.local.apiserver.protocol import protobuf, status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo, invalid_option

Manifest = dict[str, Any]

_OPTIONS_KIND = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_FIELD_VALIDATION = ("Ignore", "Strict", "Warn")
_MAX_MANAGER = 128


class _Loader(yaml.SafeLoader):
    """YAML as in Kubernetes: only JSON types, so no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """
    The options of a create, update, patch or apply.

    :param dry_run: Do everything except storing.
    :param manager: Field manager; default is the client's name from its user agent.
    :param field_validation: ``Ignore``, ``Warn`` or ``Strict``.
    :param force: For an apply: take over fields of other managers.
    """

    dry_run: bool = False
    manager: str = ""
    field_validation: str = "Warn"
    force: bool = False


def write_options(info: RequestInfo) -> WriteOptions:
    """
    Read the write options of a request.

    :raises StatusError: 422 for a value that is not allowed.
    """
    kind = _OPTIONS_KIND.get(info.verb, "DeleteOptions")
    dry_run = info.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise invalid_option(kind, "dryRun", f'Unsupported value: ["{dry_run}"]: supported values: "All"')
    manager = info.query.get("fieldManager", "")
    if len(manager) > _MAX_MANAGER:
        raise invalid_option(kind, "fieldManager", f"Too long: may not be more than {_MAX_MANAGER} bytes")
    if info.is_apply and not manager:
        raise invalid_option(kind, "fieldManager", "Required value: is required for apply patch")
    if info.verb == "patch" and not info.is_apply and "force" in info.query:
        raise invalid_option(kind, "force", "Forbidden: may not be specified for non-apply patch")
    validation = info.query.get("fieldValidation", "")
    if validation and validation not in _FIELD_VALIDATION:
        supported = ", ".join(f'"{value}"' for value in ("", *_FIELD_VALIDATION))
        raise invalid_option(
            kind, "fieldValidation", f'Unsupported value: "{validation}": supported values: {supported}'
        )
    return WriteOptions(
        dry_run=dry_run == "All",
        manager=manager or (info.user_agent.partition("/")[0] or "unknown")[:_MAX_MANAGER],
        field_validation=validation or "Warn",
        force=info.flag("force"),
    )


def decode(raw: bytes, content_type: str) -> Any:
    """
    Return the data of a JSON, YAML or protobuf body.

    :raises StatusError: 400 for invalid text, 415 for another media type.
    """
    if content_type in ("", "application/json") or content_type.endswith("+json"):
        try:
            return json.loads(raw)
        except ValueError as error:
            raise status.bad_request(json_problem(raw, error)) from None
    if content_type in ("application/yaml", "application/apply-patch+yaml"):
        return _decode_yaml(raw)
    if content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(raw)
    raise status.unsupported_media_type(["application/json", "application/yaml", protobuf.MEDIA_TYPE])


def json_problem(raw: bytes, error: ValueError) -> str:
    """Return why a text is not JSON."""
    position = getattr(error, "pos", len(raw))
    if position >= len(raw):
        return "unexpected end of JSON input"
    return f"invalid character {chr(raw[position])!r} in the body: {error}"


def _decode_yaml(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        pass
    try:
        return yaml.load(raw, Loader=_Loader)
    except yaml.YAMLError as error:
        raise status.bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None


def decode_object(info: RequestInfo, raw: bytes) -> Manifest:
    """
    Return the object in the body of a create or update.

    :raises StatusError: 400 if it is not an object of the resource's kind and version, 422 for the wrong kind
        of custom resource.
    """
    resource = info.resource
    try:
        value = decode(raw, info.content_type)
    except status.StatusError as error:
        if error.code != 400:
            raise
        raise _unrecognized(
            info, raw, f"couldn't get version/kind; json parse error: {error.message}"
        ) from None
    if not isinstance(value, dict):
        raise _unrecognized(
            info, raw, "couldn't get version/kind; json parse error: the body is not an object"
        )
    if not resource.custom:
        # Typed clients may omit these; the path defines the type.
        value.setdefault("apiVersion", info.api_version)
        value.setdefault("kind", resource.kind)
    if not value.get("kind"):
        text = raw.decode(errors="replace")
        raise _unrecognized(info, raw, f"Object 'Kind' is missing in '{text}'")
    _check_metadata(value)
    check_type(info, value)
    return value


def check_type(info: RequestInfo, value: Mapping[str, Any]) -> None:
    """
    Check that an object is of the kind and version of the request.

    :raises StatusError: 400, or 422 for another kind than the custom resource's.
    """
    resource = info.resource
    api_version, kind = str(value.get("apiVersion") or ""), str(value.get("kind") or "")
    if api_version != info.api_version:
        raise status.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({info.api_version})"
        )
    if kind == resource.kind:
        return
    if not resource.custom:
        raise status.bad_request(
            f'{kind} in version "{info.version}" cannot be handled as a {resource.kind}: '
            f"converting ({kind}) to ({resource.kind}): unknown conversion"
        )
    raise status.invalid(
        group=resource.group,
        kind=kind,
        name=str(value["metadata"].get("name", "")),
        causes=[
            status.cause(
                reason="FieldValueInvalid",
                message=f'Invalid value: "{kind}": must be {resource.kind}',
                field="kind",
            )
        ],
    )


def _unrecognized(info: RequestInfo, raw: bytes, why: str) -> status.StatusError:
    text = raw.decode(errors="replace")
    shown = f"{text[:30]} ..." if len(text) > 32 else text or "<empty>"
    return status.bad_request(
        f"the object provided is unrecognized (must be of type {info.resource.kind}): {why} ({shown})"
    )


def _check_metadata(value: Manifest) -> None:
    metadata = value.get("metadata")
    if metadata is None:
        value["metadata"] = {}
    elif not isinstance(metadata, dict):
        raise status.bad_request(
            "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta"
        )


def check_identity(info: RequestInfo, metadata: Mapping[str, Any]) -> None:
    """
    Check that an object's name and namespace agree with the path.

    :raises StatusError: 400 when they do not.
    """
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if info.name and name and name != info.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({info.name})"
        )
    if info.resource.namespaced and namespace and namespace != info.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
