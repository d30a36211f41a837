"""What others do to a deployment, with rights of their own and by plain requests: no fault ordered meets them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import DEPLOYMENTS, NAMESPACES, SELDON_DEPLOYMENTS
from airflow_provider_seldon.local.cluster import LocalSeldon
from tests.histories.plan import TAKING_AWAY, Deed

#: What only looks as if it changed something.
HARMLESS = {"note", "operator down"}


class Others:
    """
    Everybody else in a namespace.

    :param local: the cluster.
    """

    def __init__(self, local: LocalSeldon, namespace: str, name: str) -> None:
        self._local = local
        self._api = local._api
        self._namespace = namespace
        self._name = name

    def make_namespace(self) -> None:
        """Make the namespace."""
        self._call(
            self._api.create(
                NAMESPACES,
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}},
            )
        )

    def do(self, deed: Deed) -> bool:
        """Do it; False where there is nothing to do it to."""
        if deed.what == "operator down":
            self._local.pause_operator(self._namespace)
            return True
        try:
            return bool(self._call(self._do(deed)))
        except ApiError:
            return False

    def bring_back(self) -> None:
        """The operator is back."""
        self._local.resume_operator(self._namespace)

    def leave(self) -> None:
        """Delete what is there."""
        self.bring_back()
        self._call(
            self._api.delete(SELDON_DEPLOYMENTS, self._namespace, self._name, propagation="Background")
        )

    async def _do(self, deed: Deed) -> bool:
        if deed.what in {"delete child", "stop child"}:
            return await self._do_to_child(deed.what)
        found = await self._api.get(SELDON_DEPLOYMENTS, self._namespace, self._name)
        if deed.what == "delete":
            where = (SELDON_DEPLOYMENTS, self._namespace, self._name)
            await self._api.delete(*where, uid=found["metadata"]["uid"], propagation="Background")
        elif deed.what == "note":
            await self._patch({"metadata": {"annotations": {"example.com/note": str(deed.number)}}})
        elif deed.what in {"scale", "stop", "scale as many"}:
            pods = {"scale": deed.number % 3 + 1, "stop": 0}.get(deed.what, found["spec"].get("replicas", 1))
            await self._patch({"spec": {"replicas": pods}}, subresource="scale")
        else:
            await self._patch({"spec": self._edited(found["spec"], deed)})
        return True

    def _edited(self, spec: dict[str, Any], deed: Deed) -> dict[str, Any]:
        predictors = spec["predictors"]
        if deed.what == "edit":
            predictors[0]["graph"]["modelUri"] = f"s3://edited/{deed.number}"
            return {"predictors": predictors}
        # Nobody gives a number: from its next update on, the operator updates the child for ever.
        return {"predictors": [{**one, "replicas": None} for one in predictors], "replicas": None}

    async def _do_to_child(self, what: str) -> bool:
        children, _ = await self._api.list(DEPLOYMENTS, self._namespace)
        for child in children:
            name = child["metadata"]["name"]
            if what == "delete child":
                await self._api.delete(DEPLOYMENTS, self._namespace, name, propagation="Background")
            else:
                await self._api.patch(DEPLOYMENTS, self._namespace, name, {"spec": {"replicas": 0}})
        return bool(children)

    async def _patch(self, body: dict[str, Any], *, subresource: str | None = None) -> None:
        where = (SELDON_DEPLOYMENTS, self._namespace, self._name)
        await self._api.patch(*where, body, subresource=subresource)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._local._thread is not None
        return self._local._thread.run(work)


def takes_away(deed: Deed) -> bool:
    """Whether something that serves may be gone after it."""
    return deed.what in TAKING_AWAY
