"""
Preconditions of a write: what it expects to find, so that the server refuses it with a conflict otherwise.

- *nothing*: ``resourceVersion`` 1, which no SeldonDeployment ever has, because its CRD was stored before it.
  An apply of a missing object ignores the resource version, an apply of an existing one checks it
  (kubernetes/apiserver, generic registry ``Store.Update``). A POST would work as well, but its fields would
  belong to the operation Update of the field manager, and no later apply could remove one;
- *that object at that version*: ``uid`` and ``resourceVersion``. The uid is needed, because the resource
  version alone does not keep an apply from re-creating an object that was deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The resource version that means "must not exist".
NEVER_STORED = "1"

#: Fields that only the server writes.
_SERVER_SIDE = frozenset({"managedFields", "creationTimestamp", "generation", "uid", "resourceVersion"})


def expecting(
    metadata: Mapping[str, Any],
    *,
    uid: str | None = None,
    resource_version: str | None = None,
    create: bool = False,
) -> dict[str, Any]:
    """
    Return the ``metadata`` of an apply or a patch.

    :param metadata: the metadata to write; fields that only the server writes are left out.
    :param uid: the expected object.
    :param resource_version: the version that it is expected to be at.
    :param create: no object of that name is expected; ``resource_version`` is ignored.
    """
    written = {key: value for key, value in metadata.items() if key not in _SERVER_SIDE}
    version = NEVER_STORED if create else resource_version
    return written | {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}


def delete_options(*, propagation: str, uid: str | None, resource_version: str | None) -> dict[str, Any]:
    """
    Return the body of a DELETE.

    :param propagation: ``Foreground``, ``Background`` or ``Orphan``.
    :param uid: the expected object.
    :param resource_version: the version that it is expected to be at.
    """
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
    preconditions = expecting({}, uid=uid, resource_version=resource_version)
    return options | ({"preconditions": preconditions} if preconditions else {})
