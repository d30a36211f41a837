"""Prediction requests to a deployment, in its own protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.endpoint import (
    UnexpectedResponseError,
    parse_response,
    request_body,
    url_below,
)
from airflow_provider_seldon.exceptions import InvalidModelServerError, PredictionError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.target import Target


def predict(
    target: Target,
    deployment: SeldonDeployment,
    data: Any,
    *,
    path: str | None = None,
    timeout: float = 30.0,
    retry_for: float = 30.0,
) -> Any:
    """See :meth:`SeldonHook.predict`."""
    gateway = target.ingress.require_url()
    url = target.info(deployment).prediction_url
    if path:
        try:
            url = url_below(gateway, target.namespace, deployment.name, path)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the model:\n{error}") from None
    try:
        body = request_body(protocol_of(deployment), data)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of("SeldonHook.predict", error) from None
    return target.ingress.post(url, body, timeout=timeout, retry_for=retry_for)


def rows_of(deployment: SeldonDeployment, answer: Any) -> list[Any]:
    """
    Return the rows of a prediction.

    :raises PredictionError: the answer has none.
    """
    try:
        return parse_response(protocol_of(deployment), answer)
    except UnexpectedResponseError as error:
        raise PredictionError(
            f"{deployment.name} answered, but not with a prediction: {error}", status=200
        ) from None


def protocol_of(deployment: SeldonDeployment) -> str:
    """Return the protocol of a deployment."""
    return (deployment.spec.protocol if deployment.spec else None) or "seldon"
