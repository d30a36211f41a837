"""
The exceptions of this provider.

One small tree under :class:`SeldonError`, which is an ``AirflowException``. The class shows *what* happened,
the message *what to do next*, and ``retryable`` whether a retry of the same task can help, so that a retry
policy can match classes instead of messages; :mod:`airflow_provider_seldon.retries` builds such a policy.

If only the task's own code or input can change the outcome, the class is also an ``AirflowFailException``:
Airflow fails the task at once, whatever its retries, and consults no policy. If something outside (a
permission, a connection, a conflicting object) can be fixed while the task waits for its retry, it is not,
and the user decides.

No exception message contains a credential: request bodies are never quoted, only names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class SeldonError(AirflowException):
    """Base of all exceptions of this provider."""

    #: Whether a retry of the same, unchanged task can succeed.
    retryable: ClassVar[bool] = True


class InvalidModelServerError(SeldonError, AirflowFailException, ValueError, TypeError):
    """
    The request is wrong; nothing was sent to the cluster. The message names each field and its fix.

    Raised for every argument of an operator, a sensor, a trigger or the hook: when the DAG is parsed if the
    value is already known, else before a request is sent. It is also a ``ValueError`` and a ``TypeError``,
    which Python itself raises for a wrong argument. Not retried: the same arguments would be wrong again.
    """

    retryable = False

    @classmethod
    def of(cls, where: str, problems: object) -> Self:
        """
        Return the error of wrong arguments; nothing was sent.

        :param where: owner of the arguments.
        :param problems: the problems, one per line.
        """
        return cls(f"{where}: nothing was sent to the cluster:\n{problems}")


class ConnectionConfigError(SeldonError):
    """The Airflow connection gives no access to a cluster. The message names the field."""

    retryable = False


class NotFoundError(SeldonError):
    """No such object, or the API server does not serve its kind (HTTP 404)."""


class DeploymentNotFoundError(NotFoundError):
    """No such SeldonDeployment."""


class ExistsError(SeldonError):
    """An object of that name exists already (HTTP 409, reason AlreadyExists)."""


class NotManagedError(SeldonError):
    """
    The object exists, but this provider did not create it; it is left unchanged.

    :param owners: field managers and controllers found on the object.
    """

    retryable = False

    def __init__(self, message: str, *, owners: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.owners = tuple(owners)


class ConflictError(SeldonError):
    """
    Another writer owns a field, or changed the object since it was read (HTTP 409).

    :param managers: field managers that own the fields, empty for a resource version conflict.
    :param fields: the fields in conflict.
    """

    def __init__(self, message: str, *, managers: Sequence[str] = (), fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.managers = tuple(managers)
        self.fields = tuple(fields)


class RejectedError(SeldonError):
    """The API server or an admission webhook refused the object (HTTP 400, 422); quotes its message."""

    retryable = False


class UndeclaredFieldsError(RejectedError):
    """
    The cluster's CRD does not declare some fields, so the API server refuses the whole apply.

    :param fields: their paths, such as ``spec.predictors[0].graph.endpoint.http_port``.
    """

    def __init__(self, message: str, *, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class ForbiddenError(SeldonError):
    """The credentials lack a permission (HTTP 403); the message names verb and resource."""

    retryable = False


class UnauthorizedError(SeldonError):
    """The credentials were not accepted (HTTP 401)."""


class CredentialPluginError(UnauthorizedError):
    """The exec plugin of a kubeconfig returned no credentials; the message names it and quotes its output."""


class ServerUnavailableError(SeldonError):
    """
    The API server (or a webhook that it calls) was unavailable, also after retries.

    :param status: HTTP status of the last response, 0 when there was none.
    :param retry_after: seconds of its ``Retry-After``, None if there was none.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class UnexpectedAnswerError(ServerUnavailableError):
    """A successful response is not from a Kubernetes API, or is incomplete."""


class RolloutError(SeldonError):
    """
    A wait for a deployment ended before the applied version was ready.

    :param reason: one CamelCase word, such as ``ProgressDeadlineExceeded``.
    :param deployment: ``namespace/name``.
    :param rolled_back_to: revision that was restored and is ready; "" when nothing was rolled back.
    """

    def __init__(
        self, message: str, *, reason: str = "", deployment: str = "", rolled_back_to: str = ""
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.deployment = deployment
        self.rolled_back_to = rolled_back_to

    def amended(self, sentence: str, *, rolled_back_to: str = "") -> Self:
        """Return this error with another sentence at the end of its first line."""
        first, *rest = str(self).split("\n", 1)
        return type(self)(
            "\n".join([f"{first} {sentence}", *rest]),
            reason=self.reason,
            deployment=self.deployment,
            rolled_back_to=rolled_back_to,
        )


class RolloutFailedError(RolloutError):
    """The applied version cannot become ready as it is; the previous version, if there was one, keeps serving."""


class CanaryAbortedError(RolloutFailedError, AirflowFailException):
    """
    A candidate exceeded its limits, or did not become ready; the baseline gets all traffic again.

    Not retried: a rejected candidate stays rejected until the task is cleared.
    """

    retryable = False


class DeploymentFailedError(RolloutFailedError, AirflowFailException):
    """
    A sensor found that the deployment cannot become ready as it is.

    The sensor is not retried: it changes nothing, so a retry would find the same.
    """

    retryable = False


class RolloutTimeoutError(RolloutError):
    """The applied version was not ready before the deadline; a previous version keeps serving."""


class ReplacedError(RolloutError):
    """While waiting, another writer deleted and re-created the deployment (its uid changed)."""


class DeletedError(RolloutError):
    """The deployment was deleted while waiting."""


class ReapingError(SeldonError):
    """
    A reaper could not do everything that is due; the rest is done. The message names each deployment.

    Retried: the obstacle may be gone.
    """


class StaleRunError(SeldonError, AirflowFailException):
    """
    A newer DAG run has deployed already; this older run does not roll it back.

    Not retried: this run does not become newer.
    """

    retryable = False


class DeployDecisionError(SeldonError, AirflowFailException):
    """
    The operator does not understand the deploy decision, or the decision fails the task.

    Not retried: earlier tasks made the decision.
    """

    retryable = False


class TurnedDownError(DeployDecisionError):
    """
    The candidate was rejected, and nothing was done, as the caller requested.

    :param skip: the caller requested to skip the task instead of failing it.
    """

    def __init__(self, message: str, *, skip: bool = False) -> None:
        super().__init__(message)
        self.skip = skip


class PredictionError(SeldonError):
    """
    The answer to a prediction request is not a prediction, or not the expected one.

    :param status: HTTP status of the answer, 0 when there was none.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ModelFilesError(SeldonError):
    """A trained model's files are missing, or its server cannot read them; nothing was copied."""

    retryable = False


class ModelChangedError(SeldonError):
    """A file of a trained model changed during the copy; the copy is incomplete and is not used."""
