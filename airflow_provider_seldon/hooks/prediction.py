"""Predictions through the ingress gateway."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.delivery.prediction.predict import predict, rows_of
from airflow_provider_seldon.hooks.argument_checks import checked, instance
from airflow_provider_seldon.hooks.connection import SeldonConnectionHook


class PredictionHook(SeldonConnectionHook):
    """The part of :class:`~airflow_provider_seldon.hooks.seldon.SeldonHook` that requests predictions."""

    @checked(name=argument_rules.NAME, deployment=instance(SeldonDeployment, optional=True))
    def predict(
        self,
        name: str,
        data: Any,
        *,
        deployment: SeldonDeployment | None = None,
        path: str | None = None,
        timeout: float = 30.0,
        retry_for: float = 30.0,
    ) -> Any:
        """
        Send one prediction request in the deployment's own protocol and return the decoded answer.

        :param data: rows (a list, a nested list, anything with ``tolist``), or a dict that is sent unchanged.
        :param deployment: the deployment, if already read: saves the read of protocol and graph.
        :param path: path below the deployment's URL, instead of the protocol's own.
        :param timeout: seconds for one request.
        :param retry_for: seconds during which the request is retried while the gateway is not ready.
        :raises PredictionError: the answer is not a prediction, or there is none.
        :raises InvalidModelServerError: the data cannot be sent, or the path leads out of the deployment's own URL.
        """
        found = deployment or self.client.get(name)
        return predict(self.target, found, data, path=path, timeout=timeout, retry_for=retry_for)

    @checked(name=argument_rules.NAME)
    def predictions(self, name: str, data: Any, **options: Any) -> list[Any]:
        """Like :meth:`predict`, but return only the rows of the prediction, whatever the protocol."""
        found = options.pop("deployment", None) or self.client.get(name)
        return rows_of(found, self.predict(name, data, deployment=found, **options))
