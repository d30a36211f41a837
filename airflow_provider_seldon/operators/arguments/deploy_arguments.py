"""Parse the rendered arguments of a deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.identity.identity import Identity
    from airflow_provider_seldon.core.prediction.sample_request import SampleRequest
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.core.rollout.fence import OrderToken
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest

Parsed = TypeVar("Parsed")

#: Arguments that are fields of a ``ModelServer``; the argument ``model_server`` holds the other fields.
SERVED = ("model_name", "model_uri", "implementation", "protocol", "replicas", "manifest", "name")

#: Arguments that are fields of a ``DeployRequest``, and mean the same there.
PASSED_ON = ("replace", "force_conflicts", "adopt", "on_negative", "on_negative_empty", "drop_unknown_fields")


class DeployArguments:
    """
    Mixin of the operators that deploy: parses arguments when the task runs, because Airflow renders them
    late.

    It has no constructor; the attributes are those of the class it is mixed into.
    """

    model_server: Mapping[str, Any] | None
    deploy_decision: Any
    metrics: Mapping[str, float] | str | None
    smoke_test: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None
    on_stale: str
    order: Callable[[Context], OrderToken | None]
    ttl: float | timedelta | str | None

    def _server(self) -> ModelServer:
        from airflow_provider_seldon.core.request.model_server import ModelServer

        return self._read(ModelServer.parse, {**(self.model_server or {}), **self._given()})

    def _given(self) -> dict[str, Any]:
        """Return the fields of a ModelServer that are arguments of the operator and were given."""
        given = {field: getattr(self, field) for field in SERVED}
        return {field: value for field, value in given.items() if value not in (None, "")}

    def _request(self, context: Context, server: ModelServer) -> DeployRequest:
        from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
        from airflow_provider_seldon.hooks.prometheus import assess

        return DeployRequest(
            assess=assess,
            server=server,
            identity=self._identity(context, server),
            deploy=self._decision(context),
            metrics=self._metrics(),
            order=self.order(context),
            fence=self.on_stale != "deploy",
            retry=(getattr(context["ti"], "try_number", 1) or 1) > 1,
            **{name: getattr(self, name) for name in PASSED_ON},
            ttl=float(self.ttl) if self.ttl else None,  # type: ignore[arg-type]
        )

    def _identity(self, context: Context, server: ModelServer) -> Identity:
        from airflow_provider_seldon.core.identity.identity import Identity

        task_instance = context["ti"]
        return Identity(
            dag_id=task_instance.dag_id,
            task_id=task_instance.task_id,
            model_name=server.model_name,
            run_id=task_instance.run_id,
            map_index=task_instance.map_index if task_instance.map_index is not None else -1,
        )

    def _decision(self, context: Context) -> Any:
        from airflow_provider_seldon.core.rollout.decision import templatable

        # Airflow 2.11 leaves an XCom argument unresolved when its value is false.
        resolve = getattr(self.deploy_decision, "resolve", None)
        return templatable(resolve(context) if resolve else self.deploy_decision)

    def _metrics(self) -> dict[str, float]:
        from airflow_provider_seldon.core.request.model_metrics import parse_metrics

        return self._read(parse_metrics, self.metrics)

    def _samples(self) -> list[SampleRequest]:
        from airflow_provider_seldon.core.prediction.sample_request import sample_requests

        return self._read(sample_requests, self.smoke_test)

    def _read(self, parse: Callable[[Any], Parsed], given: Any) -> Parsed:
        from airflow_provider_seldon.core.invalid_request import InvalidRequestError
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        try:
            return parse(given)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
