"""The status of a SeldonDeployment: knative conditions and the state. Pure.

Source: Seldon Core reference, sections 1.6 and 2.1. Nothing here (nor anywhere else) ever sets
``observedGeneration``: Seldon Core does not.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import clone, condition, dig, now

READY = "Ready"
DEPLOYMENTS_READY = "DeploymentsReady"
SERVICES_READY = "ServicesReady"
KEDA_READY = "KedaReady"
VIRTUAL_SERVICES_READY = "istioVirtualServicesReady"
HPAS_READY = "HpasReady"
PDBS_READY = "PdbsReady"
AMBASSADOR_READY = "AmbassadorMappingsReady"

DEPENDENTS = (
    DEPLOYMENTS_READY,
    SERVICES_READY,
    KEDA_READY,
    VIRTUAL_SERVICES_READY,
    HPAS_READY,
    PDBS_READY,
    AMBASSADOR_READY,
)

NOT_PROGRESSING = "Deployment is no longer progressing and not available."

_REASONS = {
    SERVICES_READY: ("All services created", "Not all services created", "All services created"),
    KEDA_READY: ("All KEDA resources ready", "KEDA resources not ready", "No KEDA resources defined"),
    HPAS_READY: ("All HPAs resources ready", "HPAs not ready", "No HPAs defined"),
    PDBS_READY: ("All PDBs resources ready", "PDBs not ready", "No PDBs defined"),
    VIRTUAL_SERVICES_READY: (
        "All VirtualServices created",
        "Not all VirtualServices created",
        "No VirtualServices defined",
    ),
    AMBASSADOR_READY: (
        "All Ambassador Mappings created",
        "Not all Ambassador Mappings created",
        "No Ambassador Mappaings defined",  # sic
    ),
}


def report(status: Manifest, kind: str, *, ready: bool, defined: bool = True) -> None:
    """Set a condition with the operator's own reason, which is a sentence with spaces.

    :param defined: whether the spec has anything of that kind; otherwise it counts as ready
    """
    yes, no, absent = _REASONS[kind]
    mark(status, kind, "True" if ready else "False", (yes if defined else absent) if ready else no)


def mark(status: Manifest, kind: str, value: str, reason: str = "", message: str = "") -> None:
    """Set one condition and the aggregate ``Ready``, as knative's living condition set does."""
    _set(status, kind, value, reason, message)
    if value == "False":
        _set(status, READY, value, reason, message)
        return
    unhappy = _unhappy(status)
    if unhappy is None:
        _set(status, READY, "True", "", "")
    else:
        _set(status, READY, unhappy["status"], unhappy.get("reason", ""), unhappy.get("message", ""))


def copy_deployment_condition(status: Manifest, found: Manifest | None) -> None:
    """``DeploymentsReady`` repeats the ``Available`` condition of one child (none yet: left as it is)."""
    if found is not None and found.get("status") in ("True", "False", "Unknown"):
        mark(status, DEPLOYMENTS_READY, found["status"], found.get("reason", ""), found.get("message", ""))


def set_state(status: Manifest, state: str, description: str = "") -> None:
    """Set the state; an empty description is left out, like empty strings in Go."""
    status["state"] = state
    status.pop("description", None)
    if description:
        status["description"] = description


def same(one: Any, other: Any) -> bool:
    """Whether two statuses are equal, except for the times of conditions (knative's volatile time)."""
    return bool(_without_times(one) == _without_times(other))


def _without_times(status: Any) -> Manifest:
    status = clone(status or {})
    for entry in status.get("conditions") or []:
        entry.pop("lastTransitionTime", None)
    return {key: value for key, value in status.items() if value not in (None, "", {}, [], 0)}


def _set(status: Manifest, kind: str, value: str, reason: str, message: str) -> None:
    old = condition(status, kind) or {}
    new = {"type": kind, "status": value}
    new |= {"reason": reason} if reason else {}
    new |= {"message": message} if message else {}
    if {key: entry for key, entry in old.items() if key != "lastTransitionTime"} == new:
        return
    new["lastTransitionTime"] = now()
    others = [entry for entry in dig(status, "conditions", default=[]) if entry["type"] != kind]
    status["conditions"] = sorted([*others, new], key=lambda entry: str(entry["type"]))


def _unhappy(status: Manifest) -> Manifest | None:
    """The condition that keeps ``Ready`` from being True: a False one, else an Unknown or missing one."""
    known = [entry for entry in dig(status, "conditions", default=[]) if entry["type"] in DEPENDENTS]
    known.sort(key=lambda entry: str(entry.get("lastTransitionTime", "")), reverse=True)
    for value in ("False", "Unknown"):
        for entry in known:
            if entry["status"] == value:
                return dict(entry)
    return {"status": "Unknown"} if len(known) < len(DEPENDENTS) else None
