"""A retry policy (Airflow 3.3) that gives up at once where another try cannot help."""

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_provider_seldon import exceptions as seldon

retry_policy = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                seldon.ConnectionConfigError,
                seldon.DeployDecisionError,
                seldon.DeploymentFailedError,
                seldon.ForbiddenError,
                seldon.InvalidModelServerError,
                seldon.ModelFilesError,
                seldon.NotManagedError,
                seldon.RejectedError,
                seldon.StaleRunError,
            ],
            action=RetryAction.FAIL,
        ),
        RetryRule(exception=seldon.ServerUnavailableError, retry_delay=timedelta(minutes=2)),
        RetryRule(exception=seldon.RolloutTimeoutError, retry_delay=timedelta(seconds=10)),
    ]
)
