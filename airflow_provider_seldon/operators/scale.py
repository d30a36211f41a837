"""Stop, start or scale a model server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.operators.base import SeldonRolloutOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.delivery.rollout.handoff import Rollout


class SeldonScaleModelOperator(SeldonRolloutOperator):
    """
    Set the number of pods of every predictor of a model server, and wait until they are ready, or gone.

    The configuration stays: the next deploy sets its own number of pods again. If the spec has an autoscaler
    (``hpaSpec``, ``kedaSpec``), the task fails and writes nothing.

    Returns, and pushes as separate XComs, what ``SeldonDeployModelOperator`` does; ``action`` is ``scaled``.

    :param name: name of the deployment, such as the ``name`` that the deploying task pushed.
    :param replicas: pods of each predictor. 0 stops the model server. ``configured`` starts it with the
        number that it was deployed with (one where the deploy gave none); a running predictor keeps a number
        that ``kubectl scale`` or an autoscaler has set.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`.
    """

    template_fields: Sequence[str] = ("name", "replicas", "namespace", "seldon_conn_id")
    ui_color = "#e6e9f4"
    rules = {  # noqa: RUF012
        **SeldonRolloutOperator.rules,
        **argument_rules.of(name=argument_rules.NAME, replicas=argument_rules.REPLICAS_OR_CONFIGURED),
    }

    def __init__(self, *, name: str, replicas: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.replicas = replicas
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Scale and wait; see the class."""
        self.check_arguments()
        rollout = self.hook.scale(self.name, replicas=self._replicas())
        self.announce_write(context, rollout)
        return self.wait_for(rollout)

    def serves_something_new(self, rollout: Rollout, context: Context) -> bool:
        """Return whether something new is ready; a stopped model server has no pods."""
        return self._replicas() != 0 and super().serves_something_new(rollout, context)

    def _replicas(self) -> int | None:
        return None if self.replicas == "configured" else int(self.replicas)
