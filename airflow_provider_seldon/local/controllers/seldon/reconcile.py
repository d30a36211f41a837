"""One pass of Seldon's operator over one SeldonDeployment: create the children, and record their status.

The order of steps and what each of them reads (and does not read) is that of the operator: Seldon Core
reference, sections 2.1 and 2.2. It has the operator's faults on purpose, and no others.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import (
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    SCALED_OBJECTS,
    SERVICES,
    VIRTUAL_SERVICES,
    Kind,
    Manifest,
)
from airflow_provider_seldon.local.controllers.children.components import Components
from airflow_provider_seldon.local.controllers.manifests import (
    clone,
    condition,
    dig,
    is_subset,
    name_of,
    namespace_of,
)
from airflow_provider_seldon.local.controllers.seldon import status as conditions
from airflow_provider_seldon.local.controllers.seldon.child_deployments import ChildDeployments
from airflow_provider_seldon.local.controllers.seldon.writer import Cluster, Writer

_SCALING_CONDITIONS = {
    HORIZONTAL_POD_AUTOSCALERS: conditions.HPAS_READY,
    SCALED_OBJECTS: conditions.KEDA_READY,
    POD_DISRUPTION_BUDGETS: conditions.PDBS_READY,
}


class Pass:
    """Changes the children and, in memory, the status of ``instance``.

    :param cluster: reads and writes objects
    :param instance: the SeldonDeployment, a copy that may be changed
    :param components: its desired children
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
        self._writer = Writer(cluster=cluster, instance=instance)
        self._child_deployments = ChildDeployments(
            writer=self._writer, components=components, namespace=self._namespace
        )
        self.status: Manifest = instance["status"]

    async def services(self, *, complete: bool = False) -> bool:
        """Create the Services; every pass first reports ``ServicesReady=False`` (2.4, step 2)."""
        ready = True
        for service in self._components.services:
            name = name_of(service)
            found = self._cluster.services.get(self._namespace, name)
            if found is None:
                ready = False
                await self._writer.create(SERVICES, service)
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
                self._writer.event("UpdateService", f'Updated Service "{name}"')
        conditions.report(self.status, conditions.SERVICES_READY, ready=complete and ready)
        return ready

    async def scaling(self) -> bool:
        """Create autoscalers and budgets; without the resource type in the API they count as created."""
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
        """Create the Deployments; return whether they are ready and whether they progress."""
        ready = progressing = True
        latest: Manifest | None = None
        for wanted in self._components.deployments:
            found = await self._child_deployments.ensure(wanted)
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
        """After all Deployments are ready: set the routes, and remove obsolete objects."""
        await self.services(complete=True)
        routed = self._mesh_ready is None or self._mesh_ready()
        meshed = self._mesh_ready is not None or self._cluster.virtual_services is not None
        routed = await self._virtual_services() and routed
        self._cluster.route(self._instance)
        conditions.report(self.status, conditions.VIRTUAL_SERVICES_READY, ready=routed, defined=meshed)
        conditions.report(self.status, conditions.AMBASSADOR_READY, ready=True, defined=False)
        wanted = {name_of(child) for child in self._components.deployments}
        old = [name for name in self.status.get("deploymentStatus") or {} if name not in wanted]
        await self._child_deployments.remove(old, status=self.status)
        if not old:
            await self._remove_services()

    async def _virtual_services(self) -> bool:
        """Write the routes, and remove obsolete ones; new routes are ready in the next pass."""
        cache = self._cluster.virtual_services
        if cache is None:
            return True
        ready = True
        for wanted in self._components.virtual_services:
            name = name_of(wanted)
            found = cache.get(self._namespace, name)
            if found is None:
                ready = False
                await self._writer.create(VIRTUAL_SERVICES, wanted)
            elif found["spec"] != wanted["spec"]:
                ready = False
                cache.observe(await self._api.update(VIRTUAL_SERVICES, found | {"spec": wanted["spec"]}))
                self._writer.event("UpdateVirtualService", f'Updated VirtualService "{name}"')
        if ready:
            names = {name_of(one) for one in self._components.virtual_services}
            for old in cache.owned_by(self._instance["metadata"]["uid"]):
                if name_of(old) not in names and "deletionTimestamp" not in old["metadata"]:
                    await self._api.delete(VIRTUAL_SERVICES, self._namespace, name_of(old))
        return ready

    def _note_replicas(self, found: Manifest) -> None:
        """``deploymentStatus``; zeroes are left out, and a number that was always zero is never listed."""
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

    async def _remove_services(self) -> None:
        """Remove old Services one pass after the last old Deployment; a missing one is an error."""
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
            await self._writer.create(kind, wanted)
            return False
        if is_subset(wanted["spec"], found["spec"]):
            return True
        await self._api.update(kind, found | {"spec": found["spec"] | wanted["spec"]})
        return False

    async def _remove_scaling(self, kind: Kind, wanted: set[str]) -> None:
        for child in self._components.deployments:
            if name_of(child) not in wanted:
                await self._api.delete(kind, self._namespace, name_of(child), propagation="Foreground")


def _same_metadata(wanted: Manifest, found: Manifest) -> bool:
    return all(
        (found["metadata"].get(key) or {}) == wanted["metadata"][key] for key in ("labels", "annotations")
    )


def _is_false(entry: Manifest | None) -> bool:
    return entry is not None and entry.get("status") == "False"


def _changed(entry: Manifest | None) -> str:
    return str((entry or {}).get("lastTransitionTime", ""))
