"""
Asset events of the operators that roll out: one for each version that has been proven to serve, and no other.

Airflow itself emits an event for each asset among the ``outlets`` of a task that succeeds. So, before the task ends:

- where something new serves, the events get the facts as ``extra``;
- where nothing new serves (unchanged, reused, a dry run, not waited for, scaled to zero), the assets are taken out of
  this run's outlets, and there is no event;
- an ``AssetAlias`` (Airflow 2: ``DatasetAlias``) among the outlets gets the asset of whatever was deployed, so that
  its name need not be known when the DAG is parsed.

A task that fails, is skipped, or rolls back and fails has no events: that is Airflow's own doing.

A worker may die between the proof and its report to Airflow. The retry finds the version serving and emits the event,
so an event may come twice for the same revision, but is never lost.
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
    """Mixin; it has no constructor. :meth:`SeldonRolloutOperator.note` tells it what was done."""

    outlets: list[Any]
    log: logging.Logger
    #: What this task did, once it is known.
    _rollout: Rollout | None = None
    #: Whether that has been proven to serve.
    _proven: bool = False

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Write the events, or suppress them; Airflow calls this after the task, before it emits anything."""
        if any(_is_asset(outlet) for outlet in self.outlets or ()):
            self._tell(context)
        super().post_execute(context, result)  # type: ignore[misc]

    def serves_something_new(self, rollout: Rollout, context: Context) -> bool:
        """Whether the world should hear of it: a version proven by this task, or by an earlier try of it."""
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
        # A list of this run's own: the DAG keeps its outlets.
        self.outlets = [outlet for outlet in self.outlets if not _is_asset(outlet)]
        self.log.info("No asset event: nothing new serves")

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
                        "Outlet %s is not what was deployed, %s: its event says nothing", uri, deployed.uri
                    )
                else:
                    events[outlet].extra = {**events[outlet].extra, **extra}


class _HashableDict(dict[str, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _hashable(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Airflow 2.11 puts the extra's values into a set when the event is an alias's."""
    return {key: _HashableDict(value) if isinstance(value, dict) else value for key, value in extra.items()}


def _is_asset(outlet: Any) -> bool:
    """Whether Airflow emits an event for an outlet: an asset, a reference to one, or an alias."""
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    return isinstance(outlet, Asset | AssetAlias) or type(outlet).__name__ in _REFERENCES
