"""What the local operator is slow or wrong about, and for how long.

Seldon's status is wrong by nature (Seldon Core reference, section 2): the operator looks only at
``readyReplicas`` and ``unavailableReplicas`` of its children and forgets generations. Those faults come out of
the algorithm itself; here one chooses how long the moments last in which they can be seen, and adds those
that need another writer, a slow cache or bad luck.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperatorFaults:
    """Switches for what a client may be told wrongly; everything is off (or as short as can be) by default.

    Not so the hot loop, which is no moment: it is on as long as nobody switches it off.

    :param operator_delay: seconds for which a changed SeldonDeployment is left unread: the previous
        ``Available`` stays visible (section 2.3, row 7)
    :param deployment_status_delay: seconds after which the Deployment controller notices a new template: the
        operator reads the old numbers and says ``Available`` again (row 8)
    :param rollout_pause: seconds between the steps of a rollout: with two replicas or more ``Available``
        shows up in its middle (row 9)
    :param transient_failed: probability, per pass, of a ``Failed`` flash that recovers (row 10)
    :param transient_failed_limit: at most that many flashes per generation; None for no limit
    :param transient_failed_seconds: how long a flash is left standing before the retry
    :param mesh_delay: seconds by which the condition ``istioVirtualServicesReady`` (and so ``Ready``) lags
        behind the state, and by which the gateway learns of new routes (SeldonIO/seldon-core #3474, #1461)
    :param hot_loop_rate: updates a second that the operator makes for ever of each Deployment whose number of
        replicas neither component nor predictor, specification or autoscaler gives, from its first update on; 0 for
        none, which no operator is like
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
        """Every fault, long enough to be seen by any client, short enough for hundreds of rollouts."""
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


#: Former name, which tests of users import.
Lies = OperatorFaults
