"""The Deployments of a SeldonDeployment: created, updated and removed as in Seldon's operator.

The rules for a change, and the endless updates, are the operator's own (Seldon Core reference, sections 2.1
and 2.2).
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import DEPLOYMENTS, Manifest
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

    :param writer: writes children and events
    :param components: the desired children
    :param namespace: their namespace
    """

    def __init__(self, *, writer: Writer, components: Components, namespace: str) -> None:
        self._writer = writer
        self._api = writer.cluster.api
        self._components = components
        self._namespace = namespace

    async def ensure(self, wanted: Manifest) -> Manifest | None:
        """The existing child, or None if this pass has created or really changed it."""
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
        """Delete old children in the foreground, old engines first."""
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
        Whether the operator would remove a number of replicas that it has copied itself.

        Without a number in the spec, the operator keeps that of the existing Deployment and records it as
        applied; from then on every comparison finds that it must be removed. With an autoscaler the number is
        not compared.
        """
        recorded = str(dig(found, "metadata", "annotations", ANNOTATION_LAST_APPLIED, default=""))
        return (
            "replicas" not in wanted["spec"]
            and recorded.endswith(_WITH_REPLICAS)
            and name_of(wanted) not in self._components.autoscaled
        )


def _applied(spec: Manifest) -> str:
    """A short form of the last applied configuration; the real operator records all of it."""
    text = short_hash({key: value for key, value in spec.items() if key != "replicas"})
    return text + (_WITH_REPLICAS if "replicas" in spec else "")


def _same_spec(wanted: Manifest, found: Manifest) -> bool:
    """Whether the present and the last desired spec both equal the existing one; metadata is ignored."""
    recorded = str(dig(found, "metadata", "annotations", ANNOTATION_LAST_APPLIED, default=""))
    template = {key: value for key, value in wanted["spec"].items() if key != "replicas"}
    return recorded.removesuffix(_WITH_REPLICAS) == _applied(template) and is_subset(
        wanted["spec"], found["spec"]
    )


def _pod(child: Manifest) -> Manifest:
    spec: Manifest = child["spec"]["template"]["spec"]
    return spec
