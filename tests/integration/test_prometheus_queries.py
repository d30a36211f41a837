"""Every query of the analysis, asked of a real Prometheus that scrapes series as Seldon's executor writes them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, PromQL, TrafficMetric
from airflow_provider_seldon.core.analysis.queries import Sides, graph
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample
from airflow_provider_seldon.delivery.analysis.measure import measure
from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusAccess, PrometheusClient
from airflow_provider_seldon.exceptions import RejectedError, SeldonError, ServerUnavailableError
from tests.prometheus import Exposition, Prometheus, needs_prometheus, prometheus, until

pytestmark = needs_prometheus

SIDES = Sides(deployment="iris", candidate="canary", baseline="main", namespace="models")
#: Epoch seconds since which the window runs, once the fixture has set it.
BEGUN: list[float] = []
_NAME = "seldon_api_executor_server_requests_seconds"


def counter(
    predictor: str, code: str, *, service: str = "predictions", kind: str = "count", **more: str
) -> str:
    """One series, as the executor writes it."""
    method = "unary" if service.startswith("/") else "post"
    labels = {
        "deployment_name": "iris",
        "predictor_name": predictor,
        "predictor_version": "",
        "service": service,
        "method": method,
        "code": code,
        **more,
    }
    text = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    return f"{_NAME}_{kind}{{{text}}}"


GRPC = "/seldon.protos.Seldon/Predict"
#: What is there before the analysis begins: much traffic of the baseline, with many errors long ago.
BEFORE = {
    counter("main", "200"): 5000.0,
    counter("main", "500"): 900.0,
    counter("main", "200", service="status"): 7.0,
}
#: What has come in the window.
AFTER = {
    counter("main", "200"): 5400.0,
    counter("main", "404"): 40.0,
    counter("main", "500"): 904.0,
    counter("main", "500", service="feedback"): 300.0,
    counter("canary", "200"): 90.0,
    counter("canary", "503"): 10.0,
    counter("canary", "OK", service=GRPC): 80.0,
    counter("canary", "InvalidArgument", service=GRPC): 10.0,
    counter("canary", "Internal", service=GRPC): 10.0,
    **{
        counter(predictor, "200", kind="bucket", le=bound): count
        for predictor, counts in {"main": (50, 100, 100), "canary": (0, 90, 100)}.items()
        for bound, count in zip(("0.1", "1", "+Inf"), counts, strict=True)
    },
    'measured{predictor="canary"}': 3.0,
    'measured{predictor="main"}': 2.0,
    'lost{predictor="canary"}': float("nan"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with Exposition() as exposition:
        static = [{"targets": [exposition.target], "labels": {"namespace": "models"}}]
        bare = [{"targets": [exposition.target]}]
        exposition.values = BEFORE
        jobs = [
            {"job_name": "monitored", "metrics_path": "/prometheus", "static_configs": static},
            {
                "job_name": "bare",
                "metrics_path": "/prometheus",
                "static_configs": bare,
                "metric_relabel_configs": [
                    {
                        "source_labels": ["deployment_name"],
                        "regex": "iris",
                        "target_label": "deployment_name",
                        "replacement": "bare",
                    }
                ],
            },
        ]
        with prometheus(folder, jobs) as found:
            assert until(lambda: (found.number(f"sum(count_over_time({_NAME}_count[1m]))") or 0) >= 96)
            BEGUN[:] = [time.time()]
            exposition.values = AFTER
            assert until(lambda: found.number(f'min(count_over_time({_NAME}_count{{code="Internal"}}[1m]))'))
            assert until(
                lambda: (
                    (found.number(f'min(count_over_time({_NAME}_count{{code="Internal"}}[1m]))') or 0) >= 4
                )
            )
            yield found


def window() -> float:
    """Seconds since just before the window's numbers came; what was there before had been scraped by then."""
    return math.ceil(time.time() - BEGUN[0]) + 1


def measured(server: Prometheus, metric: TrafficMetric, sides: Sides = SIDES) -> Sample:
    """The sample of one metric."""
    client = PrometheusClient(PrometheusAccess(url=server.url))
    asked: list[str] = []

    async def query(expression: str, *, at: float | None = None) -> object:
        asked.append(expression)
        return await client.query(expression, at=at)

    found = asyncio.run(measure([metric], sides=sides, window=window(), query=query))  # type: ignore[arg-type]
    assert len(asked) == 1
    return found[metric.name]


def close(value: float, wanted: float) -> bool:
    """Prometheus extrapolates a counter to the ends of the window; half a scrape interval of a handful of scrapes."""
    return wanted * 0.99 <= value <= wanted * 1.35


def test_errors_of_both_sides_come_from_one_query_and_clients_mistakes_are_none(server: Prometheus) -> None:
    sample = measured(server, ErrorRatio(at_most=0.01))
    candidate, baseline = sample.candidate, sample.baseline
    assert isinstance(candidate, Requests), sample
    assert isinstance(baseline, Requests), sample
    # 10 answers 503 and 10 gRPC Internal out of 200; InvalidArgument and OK are no errors.
    assert close(candidate.total, 200)
    assert close(candidate.errors, 20)
    assert candidate.ratio == pytest.approx(0.1, rel=0.1)
    # 400 more answers 200, 40 new ones 404, 4 more 500; what was there before does not count.
    assert close(baseline.total, 444), baseline
    assert close(baseline.errors, 4), baseline


def test_what_a_new_series_was_first_seen_with_is_counted(server: Prometheus) -> None:
    assert server.number(f'sum(increase({_NAME}_count{{predictor_name="canary"}}[5m]))') == 0, (
        "why it matters"
    )
    assert isinstance(measured(server, ErrorRatio(at_most=0.01)).candidate, Requests)


def test_durations_come_as_buckets_of_both_sides(server: Prometheus) -> None:
    sample = measured(server, Latency(at_most_ratio=1.3))
    candidate, baseline = sample.candidate, sample.baseline
    assert isinstance(candidate, Histogram), sample
    assert isinstance(baseline, Histogram), sample
    assert candidate.bounds == baseline.bounds == (0.1, 1.0, float("inf"))
    assert close(candidate.total, 100)
    assert close(baseline.total, 100)
    assert candidate.quantile(0.5) == pytest.approx(0.6, rel=0.05)
    assert baseline.quantile(0.5) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("namespace", "label", "found"), [("models", "namespace", True), ("other", "namespace", False)]
)
def test_the_namespace_label_chooses_the_series(
    server: Prometheus, namespace: str, label: str, found: bool
) -> None:
    sides = Sides(
        deployment="iris", candidate="canary", baseline="main", namespace=namespace, namespace_label=label
    )
    assert (measured(server, ErrorRatio(at_most=0.01), sides).candidate is not None) is found


def test_series_without_a_namespace_label_are_found_when_none_is_named(server: Prometheus) -> None:
    bare = Sides(
        deployment="bare", candidate="canary", baseline="main", namespace="models", namespace_label=""
    )
    named = Sides(deployment="bare", candidate="canary", baseline="main", namespace="models")
    assert measured(server, ErrorRatio(at_most=0.01), bare).candidate is not None
    assert measured(server, ErrorRatio(at_most=0.01), named) == Sample()


def test_no_traffic_is_no_data_and_no_error(server: Prometheus) -> None:
    sides = Sides(deployment="iris", candidate="nobody", baseline="main", namespace="models")
    for metric in (ErrorRatio(at_most=0.01), Latency(at_most=1)):
        sample = measured(server, metric, sides)
        assert (sample.candidate, sample.error) == (None, "")
        assert sample.baseline is not None


def test_an_expression_of_a_users_is_asked_once_for_both_sides(server: Prometheus) -> None:
    compared = PromQL('measured{predictor="{predictor}",namespace="{namespace}"}', at_most_ratio=2)
    assert measured(server, compared) == Sample(candidate=3.0, baseline=2.0)
    alone = PromQL('sum(measured{predictor="{predictor}",namespace="{namespace}"})', at_most=5)
    assert measured(server, alone) == Sample(candidate=3.0)
    told = PromQL(
        '# drift\nmeasured{predictor="{predictor}",namespace="{namespace}"} # of the last hour',
        at_most_ratio=2,
    )
    assert measured(server, told) == Sample(candidate=3.0, baseline=2.0)
    mean = PromQL(
        'avg_over_time(measured{predictor="{predictor}",namespace="{namespace}"}[{window}]) + 0 * scalar(vector(1))',
        at_most=5,
    )
    assert measured(server, mean) == Sample(candidate=3.0)


def test_nan_of_an_expression_is_no_data(server: Prometheus) -> None:
    assert (
        measured(server, PromQL('lost{predictor="{predictor}",namespace="{namespace}"}', at_most=1))
        == Sample()
    )


def test_an_expression_with_several_answers_is_a_failed_measurement(server: Prometheus) -> None:
    assert "2 series" in measured(server, PromQL('measured{namespace="models"}', at_most=1)).error


def test_a_query_that_cannot_be_evaluated_is_reported_in_prometheus_own_words(server: Prometheus) -> None:
    client = PrometheusClient(PrometheusAccess(url=server.url))
    with pytest.raises(RejectedError, match="parse error"):
        asyncio.run(client.query("sum("))
    assert "parse error" in measured(server, PromQL("sum(", at_most=1)).error


def test_a_query_too_long_for_a_url_is_answered(server: Prometheus) -> None:
    long = " + ".join(["vector(1)"] * 2000)
    client = PrometheusClient(PrometheusAccess(url=server.url))
    assert asyncio.run(client.query(long))[0].value == 2000


def test_a_prometheus_that_is_away_is_a_failed_measurement_of_every_metric() -> None:
    client = PrometheusClient(PrometheusAccess(url="http://127.0.0.1:1", retries=0))
    found = asyncio.run(
        measure([ErrorRatio(at_most=1), Latency(at_most=1)], sides=SIDES, window=60, query=client.query)
    )
    assert all("does not respond" in sample.error for sample in found.values()), found
    with pytest.raises(ServerUnavailableError):
        asyncio.run(client.query("vector(1)"))
    assert issubclass(ServerUnavailableError, SeldonError)


@pytest.mark.parametrize(("metric", "wanted"), [(ErrorRatio(at_most=1), 2), (Latency(at_most=1), 2)])
def test_the_query_for_a_graph_has_a_line_for_each_side(
    server: Prometheus, metric: TrafficMetric, wanted: int
) -> None:
    assert len(server.ask(graph(metric, SIDES, window()))) == wanted
