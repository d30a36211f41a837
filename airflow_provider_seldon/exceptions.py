"""
What can go wrong, by name.

One small tree under :class:`SeldonError`, which is an ``AirflowException``. A class says *what* happened, its
text says *what to do next*, and ``retryable`` says whether another try of the same task can help, so that a
retry policy can match on classes instead of on texts; :mod:`airflow_provider_seldon.retries` makes one of it.

Where only the task's own code or input can change the outcome, the class is an ``AirflowFailException`` as well:
Airflow fails the task at once, whatever its retries, and asks no policy. Where somebody may repair something outside (a
right, a connection, an object in the way) while the task waits for its next try, it is not, and the user decides.

No exception text ever carries a credential: request bodies are never quoted, only names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class SeldonError(AirflowException):
    """Base of everything this provider raises."""

    #: Whether running the same task again, unchanged, can succeed.
    retryable: ClassVar[bool] = True


class InvalidModelServerError(SeldonError, AirflowFailException, ValueError, TypeError):
    """
    The request is wrong; nothing was sent to the cluster. The text names each field and its fix.

    Raised for every argument of an operator, a sensor, a trigger or the hook: when the DAG is parsed where the value is
    known by then, else before anything is sent. It is a ``ValueError`` and a ``TypeError`` besides, as what Python
    itself raises for a wrong argument. Not tried again: the same arguments are as wrong the next time.
    """

    retryable = False

    @classmethod
    def of(cls, where: str, problems: object) -> Self:
        """
        Return the error of arguments with which nothing was sent.

        :param where: whose arguments they are.
        :param problems: what is wrong, a line for each.
        """
        return cls(f"{where}: nothing was sent to the cluster:\n{problems}")


class ConnectionConfigError(SeldonError):
    """The Airflow connection cannot be turned into access to a cluster. The text names the field."""

    retryable = False


class NotFoundError(SeldonError):
    """No such object, or the API server does not know its kind (HTTP 404)."""


class DeploymentNotFoundError(NotFoundError):
    """No such SeldonDeployment."""


class ExistsError(SeldonError):
    """An object of that name exists already (HTTP 409, reason AlreadyExists)."""


class NotManagedError(SeldonError):
    """
    The object exists, but was not made by this provider; it is left as it is.

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
    """The API server or an admission webhook refused the object (HTTP 400, 422); holds its own sentence."""

    retryable = False


class UndeclaredFieldsError(RejectedError):
    """
    The cluster's CRD does not declare some fields, so that an apply of them is refused as a whole.

    :param fields: their paths, such as ``spec.predictors[0].graph.endpoint.http_port``.
    """

    def __init__(self, message: str, *, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class ForbiddenError(SeldonError):
    """The credentials lack a right (HTTP 403); the text names verb and resource."""

    retryable = False


class UnauthorizedError(SeldonError):
    """The credentials were not accepted (HTTP 401)."""


class CredentialPluginError(UnauthorizedError):
    """The exec plugin of a kubeconfig gave no credentials; the text names it, and tells what it said."""


class ServerUnavailableError(SeldonError):
    """
    The API server (or a webhook it calls) did not answer usefully, retries included.

    :param status: HTTP status of the last answer, 0 when there was none.
    :param retry_after: seconds that the server asked to wait, None when it did not say.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class UnexpectedAnswerError(ServerUnavailableError):
    """What answers with a good status is no Kubernetes API, or its answer is not whole."""


class RolloutError(SeldonError):
    """
    A wait for a deployment ended without the applied version serving.

    :param reason: one CamelCase word, such as ``ProgressDeadlineExceeded``.
    :param deployment: ``namespace/name``.
    :param rolled_back_to: revision that serves again in its place; "" when nothing was rolled back.
    """

    def __init__(
        self, message: str, *, reason: str = "", deployment: str = "", rolled_back_to: str = ""
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.deployment = deployment
        self.rolled_back_to = rolled_back_to

    def amended(self, sentence: str, *, rolled_back_to: str = "") -> Self:
        """Return this error with a further sentence, at the end of its first line."""
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
    A candidate did not keep to its limits, or did not come to serve; the baseline has all of the traffic again.

    Not tried again by itself: what was turned down stays turned down, until somebody clears the task.
    """

    retryable = False


class DeploymentFailedError(RolloutFailedError, AirflowFailException):
    """
    A sensor found that the deployment cannot become ready as it is.

    The sensor is not tried again: it changes nothing, so another try finds the same.
    """

    retryable = False


class RolloutTimeoutError(RolloutError):
    """The applied version did not serve before the deadline; the previous version, if there was one, keeps serving."""


class ReplacedError(RolloutError):
    """While waiting, another writer deleted and re-created the deployment (its uid changed)."""


class DeletedError(RolloutError):
    """The deployment was deleted while waiting."""


class ReapingError(SeldonError):
    """
    A reaper could not do something that is due; everything else is done. The text names each deployment.

    Tried again: what stood in the way may be over.
    """


class StaleRunError(SeldonError, AirflowFailException):
    """
    A newer DAG run has deployed already; this older run does not roll it back.

    Not tried again: this run does not become newer.
    """

    retryable = False


class DeployDecisionError(SeldonError, AirflowFailException):
    """
    The deploy decision is not one that the operator understands, or it asks the task to fail.

    Not tried again: what decides was made by earlier tasks.
    """

    retryable = False


class TurnedDownError(DeployDecisionError):
    """
    The candidate was turned down, and nothing was done, as the caller asked for.

    :param skip: the caller asked to skip the task rather than to fail it.
    """

    def __init__(self, message: str, *, skip: bool = False) -> None:
        super().__init__(message)
        self.skip = skip


class PredictionError(SeldonError):
    """
    A prediction request was not answered with a prediction, or not with the expected one.

    :param status: HTTP status of the answer, 0 when there was none.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ModelFilesError(SeldonError):
    """A trained model's files are missing, or are not what its server reads; nothing was copied."""

    retryable = False


class ModelChangedError(SeldonError):
    """A file of a trained model changed while it was copied; the copy is not complete and is not served."""
