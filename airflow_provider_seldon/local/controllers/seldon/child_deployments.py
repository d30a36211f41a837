"""The Deployments of a SeldonDeployment: made, updated and removed as Seldon's operator does it.

What counts as a change, and is updated for ever, is the operator's own (Seldon Core reference, sections 2.1 and 2.2).
"""

from __future__ import annotations

from airflow_provider_seldon.local.client import DEPLOYMENTS, Manifest
from airflow_provider_seldon.local.controllers.children.components import LABEL_ENGINE, Components
from airflow_provider_seldon.local.controllers.manifests import (
    clone,
    dig,
    is_derivative,
    is_subset,
    name_of,
    short_hash,
)
from airflow_provider_seldon.local.controllers.seldon.writer import Writer

ANNOTATION_LAST_APPLIED = "seldon.io/last-applied"
_WITH_REPLICAS = "+replicas"


class ChildDeployments:
    """Changes the Deployments of one SeldonDeployment.

    :param writer: makes children and events
    :param components: the wanted children
    :param namespace: where they are
    """

    def __init__(self, *, writer: Writer, components: Components, namespace: str) -> None:
        self._writer = writer
        self._api = writer.cluster.api
        self._components = components
        self._namespace = namespace

    async def ensure(self, wanted: Manifest) -> Manifest | None:
        """The child as found, or None when it was made or really changed in this pass."""
        name = name_of(wanted)
        applied = _applied(wanted["spec"])
        found = self._writer.cluster.deployments.get(self._namespace, name)
        if found is None:
            wanted["metadata"]["annotations"][ANNOTATION_LAST_APPLIED] = applied
            await self._writer.create(DEPLOYMENTS, wanted)
            return None
        if wanted["spec"]["selector"] != found["spec"]["selector"]:
            # The operator really does this, and the second call usually fails: the object is being deleted.
            await self._api.delete(DEPLOYMENTS, self._namespace, name, propagation="Foreground")
            await self._writer.create(DEPLOYMENTS, wanted)
            return None
        loops = self._loops(wanted, found)
        if _same_spec(wanted, found) and not (loops and self._writer.cluster.hot_loop.is_due(found)):
            return found
        updated = clone(found)
        updated["metadata"] |= {key: dict(wanted["metadata"][key]) for key in ("labels", "annotations")}
        updated["spec"] = {**wanted["spec"]}
        updated["spec"].setdefault("replicas", found["spec"].get("replicas"))
        updated["metadata"]["annotations"][ANNOTATION_LAST_APPLIED] = _applied(updated["spec"])
        updated = await self._api.update(DEPLOYMENTS, updated)
        self._writer.cluster.deployments.observe(updated)
        if is_derivative(_pod(found), _pod(updated)):
            return updated
        self._writer.event("UpdateDeployment", f'Updated Deployment "{name}"')
        return None

    async def remove(self, names: list[str], *, status: Manifest) -> None:
        """Old children go in the foreground, old engines before anything else."""
        found = {name: self._writer.cluster.deployments.get(self._namespace, name) for name in names}
        engines = [name for name, child in found.items() if dig(child, "metadata", "labels", LABEL_ENGINE)]
        for name, child in found.items():
            if child is None:
                status["deploymentStatus"].pop(name, None)
            elif (not engines or name in engines) and "deletionTimestamp" not in child["metadata"]:
                await self._api.delete(DEPLOYMENTS, self._namespace, name, propagation="Foreground")
                self._writer.event("DeleteDeployment", f'Deleted Deployment "{name}"')

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


def _pod(child: Manifest) -> Manifest:
    spec: Manifest = child["spec"]["template"]["spec"]
    return spec
