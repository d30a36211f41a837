"""Owners of an object, for the error that refuses to change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.identity.annotations import MANAGER
from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.exceptions import NotManagedError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


def refuse_foreign(deployment: SeldonDeployment, namespace: str) -> None:
    """
    Refuse a deployment that this provider did not create.

    :raises NotManagedError: names its owners.
    """
    if is_managed(deployment):
        return
    owners = owners_of(deployment)
    by = f" but by {', '.join(owners)}" if owners else ""
    raise NotManagedError(
        f"SeldonDeployment {namespace}/{deployment.name} was not created by this provider{by}; it is left "
        "as it is. Use another name, or allow it explicitly where the operator offers that.",
        owners=owners,
    )


def owners_of(deployment: SeldonDeployment) -> list[str]:
    """Return the controllers and field managers of an object, without the operator's status writes."""
    metadata = deployment.metadata
    references: Collection[Any] = (metadata.owner_references or ()) if metadata else ()
    entries: Collection[Any] = (metadata.managed_fields or ()) if metadata else ()
    controllers = [f"{_value(one, 'kind')} {_value(one, 'name')}" for one in references]
    managers = {_value(one, "manager") for one in entries if not _value(one, "subresource")}
    return [*controllers, *sorted(manager for manager in managers if manager)]


def appliers_of(deployment: SeldonDeployment) -> list[str]:
    """Return the other managers that apply parts of an object, as GitOps tools repeatedly do."""
    metadata = deployment.metadata
    entries: Collection[Any] = (metadata.managed_fields or ()) if metadata else ()
    appliers = {
        _value(one, "manager")
        for one in entries
        if _value(one, "operation") == "Apply" and not _value(one, "subresource")
    }
    return sorted(appliers - {MANAGER, ""})


def _value(entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else getattr(entry, key, None)
    return str(value or "")
