"""What an address of the fleet page requests."""

from __future__ import annotations

import ast
from dataclasses import replace

from airflow_provider_seldon.core.fleet.chart import lines_of
from airflow_provider_seldon.core.fleet.selection import ORDERS, Selection
from airflow_provider_seldon.core.fleet.snippet import rollback_snippet
from airflow_provider_seldon.core.fleet.view import DeploymentView, DetailView, VersionView

VIEWS = [
    DeploymentView(name="a", namespace="one", condition="serving", model_name="Iris", dag_id="train"),
    DeploymentView(name="b", namespace="two", condition="failed", cause="OOMKilled", dag_id="other"),
    DeploymentView(name="c", namespace="one", condition="asleep", badges=("foreign",)),
]


def names(**query: str) -> list[str]:
    return [one.name for one in Selection.of(query).choose(VIEWS)]


def test_deployments_that_need_attention_come_first() -> None:
    assert names() == ["b", "a", "c"]


def test_filters_and_words_have_to_fit_all() -> None:
    assert names(namespace="one") == ["a", "c"]
    assert names(badge="foreign") == ["c"]
    assert names(q="IRIS train") == ["a"]
    assert names(q="oomkilled", namespace="one") == []


def test_every_order_goes_both_ways() -> None:
    for order in ORDERS:
        assert names(sort=order) == list(reversed(names(sort=f"-{order}")))


def test_a_condition_of_a_later_release_is_listed_first() -> None:
    views = [DeploymentView(name="a", condition="failed"), DeploymentView(name="b", condition="haunted")]
    assert [one.name for one in Selection().choose(views)] == ["b", "a"]


def test_an_address_is_written_as_it_was_read_and_nonsense_is_ignored() -> None:
    asked = Selection.of({"q": "a b", "sort": "-name", "page": "2", "size": "1"})
    assert asked.address(page=2) == "?q=a+b&sort=-name&page=2&size=1"
    assert Selection.of({"page": "-1", "size": "1e9", "sort": "__class__", "foo": "bar"}) == Selection()
    assert Selection.of({"size": "99999"}).size == 1000
    assert Selection.of({"size": "9" * 5000, "page": "0" * 5000}).size == 1000
    assert asked.part(["x", "y"]) == ["y"]  # type: ignore[list-item]


def test_the_snippet_is_code_with_the_deployment_whatever_it_is_called() -> None:
    view = DeploymentView(connection='a"b', namespace="models", name="iris", model_name="it's <b>\n")
    code = rollback_snippet(DetailView(deployment=view, roll_back_to="abc"))
    call = ast.parse(code).body[1]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    given = {one.arg: ast.literal_eval(one.value) for one in call.value.keywords}
    assert given == {
        "task_id": "roll_back_it_s_b_",
        "seldon_conn_id": 'a"b',
        "namespace": "models",
        "name": "iris",
        "to": "abc",
    }
    assert rollback_snippet(DetailView(deployment=view)) == ""
    long = rollback_snippet(DetailView(deployment=replace(view, model_name="x" * 300), roll_back_to="abc"))
    assert "x" * 200 in long
    assert "x" * 241 not in long, "Airflow refuses a task_id of more than 250 characters"


def test_a_line_goes_from_the_oldest_version_to_the_last_and_from_the_lowest_value_to_the_highest() -> None:
    versions = [
        VersionView(revision="c", at="2026-01-03T00:00:00+00:00", metrics={"accuracy": 0.9}),
        VersionView(revision="b", at="2026-01-02T00:00:00+00:00", metrics={"accuracy": 0.5}),
        VersionView(revision="a", at="2025-12-31T00:00:00+00:00", metrics={"accuracy": 0.7}),
    ]
    (line,) = lines_of(versions)
    assert [point.version.revision for point in line.points] == ["a", "b", "c"]
    xs, ys = [point.x for point in line.points], [point.y for point in line.points]
    assert xs[1] - xs[0] > xs[2] - xs[1], "two days, one day"
    assert ys[1] > ys[0] > ys[2]
    assert (line.lowest, line.highest) == (0.5, 0.9)
