"""Request a prediction from a model server; with an expected answer, a smoke test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_seldon.core.prediction.answer_test import AnswerTest
from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.links.deployment import LINKS
from airflow_provider_seldon.triggers.deferral import SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


class SeldonPredictOperator(SeldonTask, BaseOperator):
    """
    Send one prediction request in the deployment's own protocol.

    Returns the decoded answer.

    :param name: name of the deployment.
    :param data: rows (a nested list), a dict that is sent as it is, or either as JSON text.
    :param expected: fail unless the rows of the prediction equal this (numbers within ``tolerance``), or, for a
        callable, unless ``expected(answer)`` is true.
    :param tolerance: largest absolute difference between two numbers that still counts as equal.
    :param path: path below the deployment's URL, instead of the protocol's own, such as ``/api/v1.0/metadata``.
    :param namespace: namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon``, with ``ingress_url``.
    :param request_timeout: seconds for one request.
    :param retry_for: seconds during which the request is retried while the gateway has no route or backend
        yet.
    """

    template_fields: Sequence[str] = ("name", "data", "expected", "path", "namespace", "seldon_conn_id")
    template_fields_renderers = {"data": "json", "expected": "json"}  # noqa: RUF012
    ui_color = "#e6eef8"
    operator_extra_links = LINKS
    rules = argument_rules.of(
        *(
            "data",
            "expected",
            "tolerance",
            "path",
            "namespace",
            "seldon_conn_id",
            "request_timeout",
            "retry_for",
        ),
        name=argument_rules.NAME,
    )

    def __init__(
        self,
        *,
        name: str,
        data: Any,
        expected: Any = None,
        tolerance: float = 1e-6,
        path: str | None = None,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        request_timeout: float = 30.0,
        retry_for: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.data = data
        self.expected = AnswerTest.wrapped(expected)
        self.tolerance = tolerance
        self.path = path
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.request_timeout = request_timeout
        self.retry_for = retry_for
        self.check_literals()

    def execute(self, context: Context) -> Any:
        """Predict and compare; see the class."""
        self.check_arguments()
        deployment = self.hook.client.get(self.name)
        self.announce(context, self.hook.get_model_server_info(deployment))
        answer = self.hook.predict(
            self.name,
            self.data,
            deployment=deployment,
            path=self.path or None,
            timeout=self.request_timeout,
            retry_for=self.retry_for,
        )
        self.log.info("%s answered %s", self.name, json.dumps(answer)[:1000])
        self._judge(answer, deployment)
        return answer

    def _judge(self, answer: Any, deployment: SeldonDeployment) -> None:
        """Check that an answer is a prediction, and the expected one. On another path any answer passes."""
        from airflow_provider_seldon.core.prediction.endpoint import parse_response
        from airflow_provider_seldon.core.prediction.payload import UnexpectedResponseError, not_json
        from airflow_provider_seldon.core.prediction.sample_request import equal
        from airflow_provider_seldon.exceptions import PredictionError

        if place := not_json(answer):
            raise PredictionError(
                f"{self.name} answered with a number at {place} that JSON cannot represent (NaN or "
                "infinity), so it cannot be pushed as an XCom. Let the model return null or text instead.",
                status=200,
            )
        if isinstance(self.expected, AnswerTest):
            if not self._holds(self.expected, answer):
                raise PredictionError(
                    f"{self.name} answered, but not as expected: {json.dumps(answer)[:500]}", status=200
                )
            return
        if self.path and self.expected is None:
            return
        protocol = (deployment.spec.protocol if deployment.spec else None) or "seldon"
        try:
            rows = parse_response(protocol, answer)
        except UnexpectedResponseError as error:
            raise PredictionError(
                f"{self.name} answered, but not with a prediction: {error}", status=200
            ) from None
        if self.expected is not None and not equal(rows, self.expected, self.tolerance):
            raise PredictionError(f"{self.name} predicted {rows}, expected {self.expected}", status=200)

    def _holds(self, test: AnswerTest, answer: Any) -> bool:
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_seldon.exceptions import PredictionError

        try:
            return bool(test.function(answer))
        except AirflowException:
            raise
        except Exception as error:
            raise PredictionError(
                f"{self.name} answered, but {test!r} failed on the answer: {type(error).__name__}: {error}",
                status=200,
            ) from error
