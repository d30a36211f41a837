"""
Asset events of the rollout operators: one for each version that has become ready, and no other.

Airflow itself emits an event for each asset among the ``outlets`` of a task that succeeds. So before the task
ends:

- if a new version is ready, the events get its details as ``extra``;
- if there is no new version (unchanged, reused, a dry run, not waited for, scaled to zero), the assets are
  removed from this run's outlets, and there is no event;
- an ``AssetAlias`` (Airflow 2: ``DatasetAlias``) among the outlets gets the asset of the deployment, so that
  its name need not be known when the DAG is parsed.

A task that fails, is skipped, or rolls back and fails has no events: Airflow itself emits none.

A worker may be killed after the version is proven and before Airflow has the event. The retry finds the
version ready and emits the event, so a revision may get its event twice, but never loses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.delivery.rollout.handoff import Rollout


#: What ``Asset.ref`` returns; Airflow 3 does not export these classes.
_REFERENCES = ("AssetNameRef", "AssetUriRef")


class AssetEvents:
    """Mixin without a constructor. :meth:`SeldonRolloutOperator.note` gives it the rollout."""

    outlets: list[Any]
    log: logging.Logger
    #: This task's rollout, once known.
    _rollout: Rollout | None = None
    #: Whether its version is proven ready.
    _proven: bool = False

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Write the events, or suppress them; Airflow calls this after the task, before it emits them."""
        if any(_is_asset(outlet) for outlet in self.outlets or ()):
            self._tell(context)
        super().post_execute(context, result)  # type: ignore[misc]

    def serves_something_new(self, rollout: Rollout, context: Context) -> bool:
        """Return whether an event is due: this task, or an earlier try of it, has proven a version."""
        if rollout.in_flight and (rollout.action not in {"unchanged", "reused"} or not self._proven):
            return self._proven
        task_instance, info = context["ti"], rollout.info
        mine = (task_instance.dag_id, task_instance.task_id, task_instance.run_id)
        return rollout.action in {"created", "unchanged"} and (info.dag_id, info.task_id, info.run_id) == mine

    def _tell(self, context: Context) -> None:
        rollout = self._rollout
        if rollout is not None and self.serves_something_new(rollout, context):
            self._write_events(rollout, context)
            return
        # A new list for this run only: the DAG keeps its outlets.
        self.outlets = [outlet for outlet in self.outlets if not _is_asset(outlet)]
        self.log.info("No asset event: no new version has become ready")

    def _write_events(self, rollout: Rollout, context: Context) -> None:
        from airflow.providers.common.compat.sdk import AssetAlias

        from airflow_provider_seldon.assets import SCHEME, seldon_asset
        from airflow_provider_seldon.core.rollout.lineage import event_extra

        extra = event_extra(rollout.info, rollout.last_available)
        deployed = seldon_asset(rollout.info.namespace, rollout.info.name)
        events = context["outlet_events"]
        for outlet in self.outlets:
            if isinstance(outlet, AssetAlias):
                events[outlet].add(deployed, extra=_hashable(extra))
            elif _is_asset(outlet):
                uri = getattr(outlet, "uri", "")
                if uri.startswith(f"{SCHEME}://") and uri != deployed.uri:
                    self.log.warning(
                        "Outlet %s is not the deployment %s: its event gets no extra", uri, deployed.uri
                    )
                else:
                    events[outlet].extra = {**events[outlet].extra, **extra}


class _HashableDict(dict[str, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _hashable(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return an extra whose values can be hashed: for an alias, Airflow 2.11 puts them into a set."""
    return {key: _HashableDict(value) if isinstance(value, dict) else value for key, value in extra.items()}


def _is_asset(outlet: Any) -> bool:
    """Whether Airflow emits an event for an outlet: an asset, a reference to one, or an alias."""
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    return isinstance(outlet, Asset | AssetAlias) or type(outlet).__name__ in _REFERENCES
