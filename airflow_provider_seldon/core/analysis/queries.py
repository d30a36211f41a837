"""
PromQL for the metrics of Seldon Core's executor (1.17 to 1.19), as text.

Facts (Seldon Core, ``executor/api/metric``): the labels are ``deployment_name``, ``predictor_name``, ``service``,
``method`` and ``code``; scraping adds the namespace, under a name that depends on how that is set up. ``code`` is the
HTTP number for REST, and the name of the gRPC status for gRPC. ``service`` is ``predictions`` for REST, the full
method for gRPC.
Predictors without an engine (``seldon.io/no-engine``) have none of these series.
"""

from __future__ import annotations

from dataclasses import dataclass

_SERIES = "seldon_api_executor_server_requests_seconds"
#: Predictions only: neither feedback nor metadata. Kubelet's probes are not counted by the executor.
_PREDICTIONS = "predictions|.*/(Predict|ModelInfer)"
#: Answered, or refused for a reason that lies with the client.
_NOT_THE_SERVERS_FAULT = "2..|3..|4..|OK|InvalidArgument|NotFound|Canceled|Unauthenticated|PermissionDenied"


@dataclass(frozen=True, kw_only=True)
class Source:
    """
    Whose series are asked for.

    :param deployment: name of the SeldonDeployment.
    :param predictor: name of the predictor.
    :param namespace: its namespace; empty where the scraped series have no label for it.
    :param namespace_label: name of that label: ``namespace`` with a PodMonitor, ``kubernetes_namespace`` with Seldon's
        former analytics chart.
    """

    deployment: str
    predictor: str
    namespace: str = ""
    namespace_label: str = "namespace"

    @property
    def selector(self) -> str:
        """The label matchers, without braces."""
        given = {"deployment_name": self.deployment, "predictor_name": self.predictor}
        if self.namespace and self.namespace_label:
            given[self.namespace_label] = self.namespace
        return ",".join(f"{name}={quoted(value)}" for name, value in given.items())

    @property
    def predictions(self) -> str:
        """The label matchers of predictions, without braces."""
        return f"{self.selector},service=~{quoted(_PREDICTIONS)}"


def requests(source: Source, window: float) -> str:
    """Return the query of the number of predictions in the last ``window`` seconds."""
    return f"sum(increase({_SERIES}_count{{{source.predictions}}}[{duration(window)}]))"


def errors(source: Source, window: float) -> str:
    """Return the query of the failed ones; empty where there was none yet, so ask for requests beside it."""
    return (
        f"sum(increase({_SERIES}_count{{{source.predictions},code!~{quoted(_NOT_THE_SERVERS_FAULT)}}}"
        f"[{duration(window)}]))"
    )


def error_ratio(source: Source, window: float) -> str:
    """Return the query of the share of failed ones: 0 without errors, empty without traffic; for a graph."""
    return f"({errors(source, window)} or vector(0)) / {requests(source, window)}"


def buckets(source: Source, window: float) -> str:
    """Return the query of the durations' cumulative buckets, by ``le``."""
    return f"sum by (le) (increase({_SERIES}_bucket{{{source.predictions}}}[{duration(window)}]))"


def latency(source: Source, window: float, quantile: float) -> str:
    """Return the query of a quantile of the durations, in seconds; for a graph."""
    rate = f"sum by (le) (rate({_SERIES}_bucket{{{source.predictions}}}[{duration(window)}]))"
    return f"histogram_quantile({quantile:g}, {rate})"


def filled(expression: str, source: Source, window: float) -> str:
    """Fill the placeholders of a user's expression; every other brace stays as it is."""
    values = {
        "deployment": source.deployment,
        "predictor": source.predictor,
        "namespace": source.namespace,
        "window": duration(window),
    }
    for name, value in values.items():
        expression = expression.replace(f"{{{name}}}", escaped(value))
    return expression


def duration(seconds: float) -> str:
    """Write seconds as Prometheus reads them, at least one second."""
    return f"{max(1, round(seconds))}s"


def quoted(text: str) -> str:
    """Write a text as a PromQL string."""
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """Escape what a PromQL string in double quotes does not take as it is."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
