"""Shared by operators and sensors: the hook of their connection, and deferring the wait to the triggerer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.triggers.argument_checks import CheckedArguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: Seconds that the framework's own timeout is later than ours, so that ours is the one that is reported.
BACKSTOP = 60.0
#: Facts about its deployment that a task announces, each as a separate XCom.
ANNOUNCED = ("name", "namespace", "prediction_url", "model_name", "revision")


class SeldonTask(CheckedArguments):
    """
    Mixin for tasks with ``seldon_conn_id`` and ``namespace``; tasks that defer also have ``failure_policy``
    and a method ``execute_complete``.

    It has no constructor; the attributes are those of the class it is mixed into.
    """

    seldon_conn_id: str
    namespace: str | None
    failure_policy: Mapping[str, Any] | None
    #: Not ``dry_run``: every operator has a method of that name.
    is_dry_run: bool = False
    #: What this process knows about the task's deployment; the task's links read it.
    announced: ModelServerInfo | None = None

    @cached_property
    def hook(self) -> SeldonHook:
        """The hook of ``seldon_conn_id`` in ``namespace``."""
        from airflow_provider_seldon.hooks.seldon import SeldonHook

        return SeldonHook(self.seldon_conn_id, namespace=self.namespace or None, dry_run=self.is_dry_run)

    def announce(self, context: Context, info: ModelServerInfo) -> None:
        """
        Push the names of the deployment before a wait begins: for the links, and in case the task is
        killed.

        With ``do_xcom_push=False`` nothing is pushed, and Airflow 2.11 then has no links. A dry run announces
        nothing, because its deployment does not exist.
        """
        if self.is_dry_run:
            return
        self.announced = info
        if self.do_xcom_push:  # type: ignore[attr-defined]
            for key in ANNOUNCED:
                context["ti"].xcom_push(key=key, value=getattr(info, key))

    def defer_until(self, deadline: float, **wait: Any) -> None:
        """
        Free the worker; the task resumes in ``execute_complete``.

        :param deadline: epoch seconds at which the wait ends.
        :param wait: further arguments of ``SeldonDeploymentTrigger``. Data for the resumed method goes into
            ``handoff``, because ``dag.test()`` passes only the event to it.
        """
        from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger

        left = max(0.0, deadline - time.time())
        self.defer(  # type: ignore[attr-defined]
            trigger=SeldonDeploymentTrigger(
                seldon_conn_id=self.seldon_conn_id,
                namespace=self.hook.namespace,
                deadline=deadline,
                timeout=left,
                failure_policy=self.failure_policy,
                **wait,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + BACKSTOP),
        )
