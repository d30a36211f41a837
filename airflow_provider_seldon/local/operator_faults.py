"""Delays and errors of the local operator, and their duration.

Seldon's status is wrong by design (Seldon Core reference, section 2): the operator reads only
``readyReplicas`` and ``unavailableReplicas`` of its children and ignores generations. Those faults follow
from the algorithm itself; these options set how long they are visible, and add those that need another
writer, a slow cache or chance.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperatorFaults:
    """Switches for wrong statuses; all are off (or as short as possible) by default.

    The exception is the hot loop, which is not a momentary fault: it is on unless switched off.

    :param operator_delay: seconds until the operator reads a changed SeldonDeployment: the previous
        ``Available`` stays visible (section 2.3, row 7)
    :param deployment_status_delay: seconds after which the Deployment controller notices a new template: the
        operator reads the old numbers and reports ``Available`` again (row 8)
    :param rollout_pause: seconds between the steps of a rollout: with two replicas or more the operator
        reports ``Available`` in the middle of it (row 9)
    :param transient_failed: probability, per pass, of a ``Failed`` flash that recovers (row 10)
    :param transient_failed_limit: at most that many flashes per generation; None for no limit
    :param transient_failed_seconds: seconds for which a flash lasts before the retry
    :param mesh_delay: seconds by which the condition ``istioVirtualServicesReady`` (and so ``Ready``) lags
        behind the state, and by which new routes reach the gateway (SeldonIO/seldon-core #3474, #1461)
    :param hot_loop_rate: updates per second that the operator makes for ever to each Deployment without a
        number of replicas from component, predictor, spec or autoscaler, from its first update on; 0 for
        none, unlike any real operator
    :param jitter: every delay is multiplied by a random factor between ``1 - jitter`` and ``1 + jitter``
    :param seed: makes the randomness repeatable
    """

    operator_delay: float = 0.0
    deployment_status_delay: float = 0.0
    rollout_pause: float = 0.0
    transient_failed: float = 0.0
    transient_failed_limit: int | None = 3
    transient_failed_seconds: float = 0.1
    mesh_delay: float = 0.0
    hot_loop_rate: float = 6.0
    jitter: float = 0.0
    seed: int | None = None

    @classmethod
    def none(cls) -> OperatorFaults:
        """No fault beyond those that Seldon Core cannot avoid."""
        return cls()

    @classmethod
    def all(cls, *, seed: int | None = None) -> OperatorFaults:
        """Every fault, long enough for any client to notice, short enough for hundreds of rollouts."""
        return cls(
            operator_delay=0.3,
            deployment_status_delay=0.3,
            rollout_pause=0.2,
            transient_failed=0.5,
            transient_failed_seconds=0.2,
            mesh_delay=0.3,
            jitter=0.9,
            seed=seed,
        )


#: Former name, which users' tests import.
Lies = OperatorFaults
