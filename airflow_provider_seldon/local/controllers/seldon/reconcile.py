"""One pass of Seldon's operator over one SeldonDeployment: make the children, write down what is seen.

The order of steps and what each of them looks at (and does not look at) is the operator's own: Seldon Core
reference, sections 2.1 and 2.2. The faults that clients trip over are in here on purpose; none is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_seldon.local.client import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    SCALED_OBJECTS,
    SERVICES,
    VIRTUAL_SERVICES,
    ApiClient,
    ApiError,
    Kind,
    Manifest,
)
from airflow_provider_seldon.local.controllers.children.components import LABEL_ENGINE, Components
from airflow_provider_seldon.local.controllers.informer import Informer
from airflow_provider_seldon.local.controllers.manifests import (
    clone,
    condition,
    dig,
    is_derivative,
    is_subset,
    name_of,
    namespace_of,
    owner_reference,
    short_hash,
)
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.controllers.seldon import status as conditions
from airflow_provider_seldon.local.controllers.seldon.hot_loop import HotLoop

ANNOTATION_LAST_APPLIED = "seldon.io/last-applied"
_WITH_REPLICAS = "+replicas"

_SCALING_CONDITIONS = {
    HORIZONTAL_POD_AUTOSCALERS: conditions.HPAS_READY,
    SCALED_OBJECTS: conditions.KEDA_READY,
    POD_DISRUPTION_BUDGETS: conditions.PDBS_READY,
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a pass reads from and writes to.

    :param served: the optional resource types (autoscalers, budgets) that the API server has
    :param virtual_services: cache of VirtualServices; None without Istio
    :param hot_loop: paces the updates that the operator makes for ever
    :param route: takes over the routes of a SeldonDeployment, as an ingress does that goes by what the operator says
    """

    api: ApiClient
    deployments: Informer
    services: Informer
    recorder: Recorder
    served: frozenset[Kind]
    hot_loop: HotLoop
    route: Callable[[Manifest], None]
    virtual_services: Informer | None = None


class Pass:
    """Changes the children and, in memory, the status of ``instance``.

    :param cluster: where to read and write
    :param instance: the SeldonDeployment, a copy that may be changed
    :param components: its wanted children
    :param mesh_ready: whether the routes to this deployment are in place; None without a mesh
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        instance: Manifest,
        components: Components,
        mesh_ready: Callable[[], bool] | None = None,
    ) -> None:
        self._cluster = cluster
        self._api = cluster.api
        self._instance = instance
        self._components = components
        self._mesh_ready = mesh_ready
        self._namespace = namespace_of(instance)
        self.status: Manifest = instance["status"]

    async def services(self, *, complete: bool = False) -> bool:
        """Make the Services; every pass first reports ``ServicesReady=False`` (2.4, step 2)."""
        ready = True
        for service in self._components.services:
            name = name_of(service)
            found = self._cluster.services.get(self._namespace, name)
            if found is None:
                ready = False
                await self._create(SERVICES, service)
                continue
            self.status["address"] = {"url": self._components.address}
            same_spec = is_subset(service["spec"], found["spec"])
            if same_spec and _same_metadata(service, found):
                details = self.status.setdefault("serviceStatus", {})
                details.setdefault(name, self._components.service_details[name])
                continue
            updated = clone(found)
            updated["metadata"] |= {key: service["metadata"][key] for key in ("labels", "annotations")}
            updated["spec"] |= service["spec"]
            self._cluster.services.observe(await self._api.update(SERVICES, updated))
            if not same_spec:
                ready = False
                self._event("UpdateService", f'Updated Service "{name}"')
        conditions.report(self.status, conditions.SERVICES_READY, ready=complete and ready)
        return ready

    async def scaling(self) -> bool:
        """Make autoscalers and budgets; without the resource type in the API they count as made."""
        wanted = {
            HORIZONTAL_POD_AUTOSCALERS: self._components.horizontal_pod_autoscalers,
            SCALED_OBJECTS: self._components.scaled_objects,
            POD_DISRUPTION_BUDGETS: self._components.pod_disruption_budgets,
        }
        all_ready = True
        for kind, manifests in wanted.items():
            served = kind in self._cluster.served
            ready = all([await self._ensure_scaling(kind, one) for one in manifests]) if served else True
            if served:
                await self._remove_scaling(kind, {name_of(one) for one in manifests})
            defined = bool(manifests) and (served or kind is not SCALED_OBJECTS)
            conditions.report(self.status, _SCALING_CONDITIONS[kind], ready=ready, defined=defined)
            all_ready = all_ready and ready
        return all_ready

    async def deployments(self) -> tuple[bool, bool]:
        """Make the Deployments; returns whether they are ready and whether they progress."""
        ready = progressing = True
        latest: Manifest | None = None
        for wanted in self._components.deployments:
            found = await self._ensure_deployment(wanted)
            if found is None:
                ready = False
                continue
            self._note_replicas(found)
            available = condition(found.get("status"), "Available")
            unavailable = int(dig(found, "status", "unavailableReplicas", default=0))
            if int(dig(found, "status", "readyReplicas", default=0)) == 0 or unavailable > 0:
                if ready:
                    conditions.copy_deployment_condition(self.status, available)
                    progress = condition(found.get("status"), "Progressing")
                    if _is_false(progress) and _is_false(available):
                        progressing = False
                ready = False
            elif ready and (latest is None or _changed(latest) < _changed(available)):
                latest = available
        if ready:
            conditions.copy_deployment_condition(self.status, latest or {"status": "Unknown"})
        return ready, progressing

    async def complete(self) -> None:
        """All Deployments are ready: routes, and the clean-up of what is no longer wanted."""
        await self.services(complete=True)
        routed = self._mesh_ready is None or self._mesh_ready()
        meshed = self._mesh_ready is not None or self._cluster.virtual_services is not None
        routed = await self._virtual_services() and routed
        self._cluster.route(self._instance)
        conditions.report(self.status, conditions.VIRTUAL_SERVICES_READY, ready=routed, defined=meshed)
        conditions.report(self.status, conditions.AMBASSADOR_READY, ready=True, defined=False)
        wanted = {name_of(child) for child in self._components.deployments}
        old = [name for name in self.status.get("deploymentStatus") or {} if name not in wanted]
        await self._remove_deployments(old)
        if not old:
            await self._remove_services()

    async def _virtual_services(self) -> bool:
        """Make the routes, and remove those that are no longer wanted; what was written is ready in the next pass."""
        cache = self._cluster.virtual_services
        if cache is None:
            return True
        ready = True
        for wanted in self._components.virtual_services:
            name = name_of(wanted)
            found = cache.get(self._namespace, name)
            if found is None:
                ready = False
                await self._create(VIRTUAL_SERVICES, wanted)
            elif found["spec"] != wanted["spec"]:
                ready = False
                cache.observe(await self._api.update(VIRTUAL_SERVICES, found | {"spec": wanted["spec"]}))
                self._event("UpdateVirtualService", f'Updated VirtualService "{name}"')
        if ready:
            names = {name_of(one) for one in self._components.virtual_services}
            for old in cache.owned_by(self._instance["metadata"]["uid"]):
                if name_of(old) not in names and "deletionTimestamp" not in old["metadata"]:
                    await self._api.delete(VIRTUAL_SERVICES, self._namespace, name_of(old))
        return ready

    async def _ensure_deployment(self, wanted: Manifest) -> Manifest | None:
        """The child as found, or None when it was made or really changed in this pass."""
        name = name_of(wanted)
        applied = _applied(wanted["spec"])
        found = self._cluster.deployments.get(self._namespace, name)
        if found is None:
            wanted["metadata"]["annotations"][ANNOTATION_LAST_APPLIED] = applied
            await self._create(DEPLOYMENTS, wanted)
            return None
        if wanted["spec"]["selector"] != found["spec"]["selector"]:
            # The operator really does this, and the second call usually fails: the object is being deleted.
            await self._api.delete(DEPLOYMENTS, self._namespace, name, propagation="Foreground")
            await self._create(DEPLOYMENTS, wanted)
            return None
        loops = self._loops(wanted, found)
        if _same_spec(wanted, found) and not (loops and self._cluster.hot_loop.is_due(found)):
            return found
        updated = clone(found)
        updated["metadata"] |= {key: dict(wanted["metadata"][key]) for key in ("labels", "annotations")}
        updated["spec"] = {**wanted["spec"]}
        updated["spec"].setdefault("replicas", found["spec"].get("replicas"))
        updated["metadata"]["annotations"][ANNOTATION_LAST_APPLIED] = _applied(updated["spec"])
        updated = await self._api.update(DEPLOYMENTS, updated)
        self._cluster.deployments.observe(updated)
        if is_derivative(_pod(found), _pod(updated)):
            return updated
        self._event("UpdateDeployment", f'Updated Deployment "{name}"')
        return None

    def _loops(self, wanted: Manifest, found: Manifest) -> bool:
        """
        Whether the operator wants to take away a number of replicas that it has copied itself.

        The number of a Deployment that is there is kept when nobody gives one, and is recorded as applied; from then
        on every comparison says that it has to go. Under an autoscaler the number is not compared.
        """
        recorded = str(dig(found, "metadata", "annotations", ANNOTATION_LAST_APPLIED, default=""))
        return (
            "replicas" not in wanted["spec"]
            and recorded.endswith(_WITH_REPLICAS)
            and name_of(wanted) not in self._components.autoscaled
        )

    def _note_replicas(self, found: Manifest) -> None:
        """``deploymentStatus``; zeroes are left out, and what was always zero is never listed."""
        name = name_of(found)
        replicas = int(dig(found, "status", "replicas", default=0))
        available = int(dig(found, "status", "availableReplicas", default=0))
        known = dig(self.status, "deploymentStatus", name, default={})
        if (known.get("replicas", 0), known.get("availableReplicas", 0)) == (replicas, available):
            return
        entry = {"replicas": replicas, "availableReplicas": available}
        listed = self.status["deploymentStatus"] = dict(self.status.get("deploymentStatus") or {})
        listed[name] = {key: value for key, value in entry.items() if value}
        if name == self._components.default_deployment:
            self.status.pop("replicas", None)
            self.status |= {"replicas": replicas} if replicas else {}

    async def _remove_deployments(self, names: list[str]) -> None:
        """Old children go in the foreground, old engines before anything else."""
        found = {name: self._cluster.deployments.get(self._namespace, name) for name in names}
        engines = [name for name, child in found.items() if dig(child, "metadata", "labels", LABEL_ENGINE)]
        for name, child in found.items():
            if child is None:
                self.status["deploymentStatus"].pop(name, None)
            elif (not engines or name in engines) and "deletionTimestamp" not in child["metadata"]:
                await self._api.delete(DEPLOYMENTS, self._namespace, name, propagation="Foreground")
                self._event("DeleteDeployment", f'Deleted Deployment "{name}"')

    async def _remove_services(self) -> None:
        """Old Services go one pass after the last old Deployment; one that is gone already is an error."""
        for name in list(self.status.get("serviceStatus") or {}):
            if name in self._components.service_details:
                continue
            if self._cluster.services.get(self._namespace, name) is None:
                raise ApiError(status=404, reason="NotFound", message=f'Service "{name}" not found')
            self.status["serviceStatus"].pop(name)
            await self._api.delete(SERVICES, self._namespace, name)

    async def _ensure_scaling(self, kind: Kind, wanted: Manifest) -> bool:
        try:
            found = await self._api.get(kind, self._namespace, name_of(wanted))
        except ApiError as error:
            if not error.not_found:
                raise
            await self._create(kind, wanted)
            return False
        if is_subset(wanted["spec"], found["spec"]):
            return True
        await self._api.update(kind, found | {"spec": found["spec"] | wanted["spec"]})
        return False

    async def _remove_scaling(self, kind: Kind, wanted: set[str]) -> None:
        for child in self._components.deployments:
            if name_of(child) not in wanted:
                await self._api.delete(kind, self._namespace, name_of(child), propagation="Foreground")

    async def _create(self, kind: Kind, manifest: Manifest) -> None:
        manifest["metadata"]["ownerReferences"] = [owner_reference(self._instance)]
        created = await self._api.create(kind, manifest)
        if kind is DEPLOYMENTS:
            self._cluster.deployments.observe(created)
        elif kind is SERVICES:
            self._cluster.services.observe(created)
        elif kind is VIRTUAL_SERVICES and self._cluster.virtual_services is not None:
            self._cluster.virtual_services.observe(created)
        self._event(f"Create{_SHORT.get(kind.kind, kind.kind)}", f'Created {kind.kind} "{name_of(manifest)}"')

    def _event(self, reason: str, message: str) -> None:
        self._cluster.recorder.normal(self._instance, reason, message)


_SHORT = {"HorizontalPodAutoscaler": "HPA", "PodDisruptionBudget": "PDB"}


def _applied(spec: Manifest) -> str:
    """What stands for the record of the last applied configuration; the real one holds all of it."""
    text = short_hash({key: value for key, value in spec.items() if key != "replicas"})
    return text + (_WITH_REPLICAS if "replicas" in spec else "")


def _same_spec(wanted: Manifest, found: Manifest) -> bool:
    """Neither what is wanted now nor what was wanted last time differs from what is there; metadata is ignored."""
    recorded = str(dig(found, "metadata", "annotations", ANNOTATION_LAST_APPLIED, default=""))
    template = {key: value for key, value in wanted["spec"].items() if key != "replicas"}
    return recorded.removesuffix(_WITH_REPLICAS) == _applied(template) and is_subset(
        wanted["spec"], found["spec"]
    )


def _same_metadata(wanted: Manifest, found: Manifest) -> bool:
    return all(
        (found["metadata"].get(key) or {}) == wanted["metadata"][key] for key in ("labels", "annotations")
    )


def _pod(child: Manifest) -> Manifest:
    spec: Manifest = child["spec"]["template"]["spec"]
    return spec


def _is_false(entry: Manifest | None) -> bool:
    return entry is not None and entry.get("status") == "False"


def _changed(entry: Manifest | None) -> str:
    return str((entry or {}).get("lastTransitionTime", ""))
