"""
PromQL for the metrics of Seldon Core's executor (1.17 to 1.19), as text: one query for both sides.

Facts (Seldon Core, ``executor/api/metric``): the labels are ``deployment_name``, ``predictor_name``, ``service``,
``method`` and ``code``; scraping adds the namespace, under a name that depends on how that is set up. ``code`` is the
HTTP number for REST, and the name of the gRPC status for gRPC. ``service`` is ``predictions`` for REST, the full
method for gRPC.
Predictors without an engine (``seldon.io/no-engine``) have none of these series.

``readings`` parses Prometheus' answers to these queries.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, PromQL, TrafficMetric

_SERIES = "seldon_api_executor_server_requests_seconds"
#: Only predictions, neither feedback nor metadata. The executor does not count the kubelet's probes.
_PREDICTIONS = "predictions|.*/(Predict|ModelInfer)"
#: Answered, or refused because of a client error.
_NOT_THE_SERVERS_FAULT = "2..|3..|4..|OK|InvalidArgument|NotFound|Canceled|Unauthenticated|PermissionDenied"
#: Range before the window in which a series must be missing to count as new. Longer than a scrape gap.
_BEFORE = "1h"

#: Label of the predictor in an answer, and label of the counted quantity.
PREDICTOR = "predictor_name"
COUNTED = "counted"
#: Label of the side in an answer to a user's expression.
SIDE = "canary_side"


@dataclass(frozen=True, kw_only=True)
class Sides:
    """
    The predictors whose series are queried.

    :param deployment: name of the SeldonDeployment.
    :param candidate: name of the candidate's predictor.
    :param baseline: name of the predictor to compare with; empty if there is none.
    :param namespace: their namespace; empty if the scraped series have no label for it.
    :param namespace_label: name of that label: ``namespace`` with a PodMonitor, ``kubernetes_namespace`` with
        Seldon's former analytics chart. Empty if there is none.
    """

    deployment: str
    candidate: str
    baseline: str = ""
    namespace: str = ""
    namespace_label: str = "namespace"

    def predictions(self, *more: str, predictors: tuple[str, ...] = ()) -> str:
        """Return the label matchers of predictions, without braces; of both sides unless predictors are named."""
        names = predictors or tuple(name for name in (self.candidate, self.baseline) if name)
        matchers = [
            f"deployment_name={quoted(self.deployment)}",
            f"{PREDICTOR}=~{quoted('|'.join(names))}"
            if len(names) > 1
            else f"{PREDICTOR}={quoted(names[0])}",
            f"service=~{quoted(_PREDICTIONS)}",
        ]
        if self.namespace and self.namespace_label:
            matchers.append(f"{self.namespace_label}={quoted(self.namespace)}")
        return ",".join([*matchers, *more])


def question(metric: TrafficMetric, sides: Sides, window: float) -> str:
    """
    Return the query that measures a metric on both sides; empty for a metric that is not from Prometheus.

    :param window: seconds up to now.
    """
    if isinstance(metric, ErrorRatio):
        return _requests_and_errors(sides, window)
    if isinstance(metric, Latency):
        return _increase(f"{_SERIES}_bucket", sides.predictions(), window, by=f"{PREDICTOR}, le")
    if isinstance(metric, PromQL):
        wanted = [("candidate", sides.candidate)]
        if metric.compares and sides.baseline:
            wanted.append(("baseline", sides.baseline))
        return " or ".join(
            _labelled(filled(metric.query, sides, name, window), SIDE, side) for side, name in wanted
        )
    return ""


def graph(metric: TrafficMetric, sides: Sides, window: float) -> str:
    """Return the query for a user's graph: a value over time for each predictor; empty if there is none."""
    if isinstance(metric, PromQL):
        return question(metric, sides, window)
    w = duration(window)
    if isinstance(metric, ErrorRatio):
        failed = sides.predictions(f"code!~{quoted(_NOT_THE_SERVERS_FAULT)}")
        all_of_them = f"sum by ({PREDICTOR}) (rate({_SERIES}_count{{{sides.predictions()}}}[{w}]))"
        return f"(sum by ({PREDICTOR}) (rate({_SERIES}_count{{{failed}}}[{w}])) or 0 * {all_of_them}) / {all_of_them}"
    if isinstance(metric, Latency):
        rate = f"sum by ({PREDICTOR}, le) (rate({_SERIES}_bucket{{{sides.predictions()}}}[{w}]))"
        return f"histogram_quantile({metric.quantile:g}, {rate})"
    return ""


def filled(expression: str, sides: Sides, predictor: str, window: float) -> str:
    """Fill the placeholders of a user's expression; other braces stay unchanged."""
    values = {
        "deployment": sides.deployment,
        "predictor": predictor,
        "namespace": sides.namespace,
        "window": duration(window),
    }
    for name, value in values.items():
        expression = expression.replace(f"{{{name}}}", escaped(value))
    return expression


def duration(seconds: float) -> str:
    """Format seconds as a Prometheus duration, at least one second."""
    return f"{max(1, round(seconds))}s"


def quoted(text: str) -> str:
    """Format a text as a PromQL string."""
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """Escape the special characters of a PromQL string in double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _requests_and_errors(sides: Sides, window: float) -> str:
    failed = sides.predictions(f"code!~{quoted(_NOT_THE_SERVERS_FAULT)}")
    counted = {"requests": sides.predictions(), "errors": failed}
    return " or ".join(
        _labelled(_increase(f"{_SERIES}_count", matchers, window, by=PREDICTOR), COUNTED, word)
        for word, matchers in counted.items()
    )


def _increase(series: str, matchers: str, window: float, *, by: str) -> str:
    """
    Return the increase of counters, including counters that are new in the window.

    ``increase`` needs two scrapes of a series, so it loses the first value of a new series: for example all
    errors of a candidate whose first errors occurred between two scrapes.
    """
    w, selector = duration(window), f"{series}{{{matchers}}}"
    begun = f"min_over_time({selector}[{w}]) unless last_over_time({selector}[{_BEFORE}] offset {w})"
    known = f"sum by ({by}) (increase({selector}[{w}]))"
    new = f"sum by ({by}) ({begun})"
    return f"({known} + {new} or {known} or {new})"


def _labelled(expression: str, label: str, value: str) -> str:
    # A user's expression may end in a comment, which ends with its line.
    end = "\n" if "#" in expression else ""
    return f'label_replace(({expression}{end}), "{label}", "{value}", "", "")'
