"""What Seldon's real operator made of real manifests, where this machine has it: each is judged for what it is."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.kube.watch.store import Store
from tests.unit.core import corpus

pytestmark = pytest.mark.skipif(corpus.directory() is None, reason="no corpus on this machine")

UID = "6f0c0b1e"
Spec = dict[str, Any]


def recorded() -> list[dict[str, Any]]:
    return [
        one
        for file in corpus.files("children/recorded-*.json")
        for one in json.loads(file.read_text())["children"]
    ]


def names() -> list[str]:
    return [one["manifest"]["metadata"]["name"] for one in recorded()]


def stored(one: dict[str, Any], spec: Spec | None = None, *, generation: int = 1) -> dict[str, Any]:
    """The deployment as the server has it, with the recorded status."""
    manifest = copy.deepcopy(one["manifest"])
    manifest["metadata"] |= {
        "namespace": "recorded",
        "uid": UID,
        "generation": generation,
        "resourceVersion": "7",
    }
    return manifest | {"spec": spec or manifest["spec"], "status": one["status"]}


def children(one: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded Deployments, with what the recording leaves out, and rolled out."""
    made = copy.deepcopy(one["deployments"])
    for child in made:
        wanted = child["spec"]["replicas"]
        owner = {"kind": "SeldonDeployment", "name": one["manifest"]["metadata"]["name"], "uid": UID}
        child["metadata"] |= {"generation": 1, "ownerReferences": [owner | {"controller": True}]}
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        child["status"] = {"observedGeneration": 1} | dict.fromkeys(counts, wanted)
        for container in child["spec"]["template"]["spec"]["containers"]:
            for entry in container.get("env", ()):
                if "value (decoded)" in entry:
                    text = json.dumps(entry.pop("value (decoded)"))
                    entry["value"] = base64.b64encode(text.encode()).decode()
    return made


def as_seen(deployment: dict[str, Any], made: list[dict[str, Any]]) -> tuple[Any, Any]:
    """What a wait gets to see of them: the watch keeps only a part."""
    store = Store()
    store.put_deployment(deployment)
    for child in made:
        store.put_child(child)
    entry = store.entry(deployment["metadata"]["name"])
    return entry.deployment, entry.children


def verdict(one: dict[str, Any], after: dict[str, Any], *, known: bool) -> Verdict:
    """Judge a write whose effect never comes, after any length of time; ``known`` is whether it is ours."""
    expected = Expectation.of(after, before=stored(one)) if known else Expectation()
    deployment, made = as_seen(after, children(one))
    first = judge(deployment, made, expected=expected, now=0.0)
    return judge(deployment, made, expected=expected, now=86_400.0, history=first.history)


@pytest.mark.parametrize("name", names())
def test_what_the_operator_made_of_a_manifest_is_ready(name: str):
    one = next(one for one in recorded() if one["manifest"]["metadata"]["name"] == name)
    known = Expectation.of(stored(one), before=stored(one))
    for seen in (as_seen(stored(one), children(one)), (stored(one), children(one))):
        for expected in (Expectation(), known):
            found = judge(*seen, [], expected=expected, now=0.0)
            assert (found.phase, found.weaker) == (Phase.READY, ""), found.message


def _first(spec: Spec) -> dict[str, Any]:
    return spec["predictors"][0]  # type: ignore[no-any-return]


def _explainer(**fields: Any) -> Callable[[Spec], Any]:
    def change(spec: Spec) -> Any:
        return _first(spec)["explainer"].update(fields) if "explainer" in _first(spec) else ...

    return change


def _drop(key: str) -> Callable[[Spec], Any]:
    return lambda spec: None if _first(spec).get("explainer", {}).pop(key, None) else ...


def _graph(**fields: Any) -> Callable[[Spec], Any]:
    return lambda spec: _first(spec)["graph"].update(fields)


def _top(**fields: Any) -> Callable[[Spec], Any]:
    return lambda spec: spec.update(fields)


def _container(**fields: Any) -> Callable[[Spec], Any]:
    def change(spec: Spec) -> Any:
        spec_of = _first(spec).get("explainer", {}).get("containerSpec")
        return ... if spec_of is None else spec_of.update(fields)

    return change


def _several(change: Callable[[list[dict[str, Any]]], Any]) -> Callable[[Spec], Any]:
    return lambda spec: change(spec["predictors"]) if len(spec["predictors"]) > 1 else ...


def _weights(predictors: list[dict[str, Any]]) -> Any:
    if any(one.get("shadow") for one in predictors):
        return ...
    predictors[0]["traffic"], predictors[1]["traffic"] = 50, 50
    return None


def _server(implementation: str) -> Callable[[Spec], Any]:
    def change(spec: Spec) -> Any:
        graph = _first(spec)["graph"]
        if graph.get("implementation") not in ("SKLEARN_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"):
            return ...
        return graph.update(implementation=implementation)

    return change


def _served(**fields: Any) -> Callable[[Spec], Any]:
    return lambda spec: _graph(**fields)(spec) if "modelUri" in _first(spec)["graph"] else ...


def _seldon_to_v2(spec: Spec) -> Any:
    if spec.get("protocol") or _first(spec)["graph"].get("implementation") not in (
        "SKLEARN_SERVER",
        "MLFLOW_SERVER",
    ):
        return ...
    return spec.update(protocol="v2")


def _separate(spec: Spec) -> Any:
    if _first(spec).get("annotations", {}).get("seldon.io/no-engine"):
        return ...
    spec.setdefault("annotations", {})["seldon.io/engine-separate-pod"] = "true"
    return None


def _engine_annotation(spec: Spec) -> Any:
    spec.setdefault("annotations", {})["seldon.io/engine-log-level"] = "DEBUG"


def _parameter(spec: Spec) -> Any:
    return _graph(parameters=[{"name": "n", "type": "INT", "value": "1"}])(spec)


def _init_parameters(spec: Spec) -> Any:
    return _explainer(initParameters='{"a":2}')(spec) if spec.get("protocol") else ...


def _explainer_config(spec: Spec) -> Any:
    return ... if spec.get("protocol") else _explainer(config={"k": "2"})(spec)


def _explainer_secret(spec: Spec) -> Any:
    copies = _first(spec).get("explainer", {}).get("modelUri")
    return _explainer(envSecretRefName="o")(spec) if copies else ...


def _explainer_added(spec: Spec) -> Any:
    return ... if "explainer" in _first(spec) else _first(spec).update(explainer={"type": "ALE"})


def _annotation_changed(spec: Spec) -> Any:
    annotations = spec.get("annotations", {})
    return annotations.update(project="y") if "project" in annotations else ...


def _replicas(spec: Spec) -> Any:
    return ... if "hpaSpec" in str(spec) else _first(spec).update(replicas=3)


#: What is changed -> how; it returns ... where a manifest has no such thing.
CHANGES: dict[str, Callable[[Spec], Any]] = {
    "first predictor dropped": _several(lambda predictors: predictors.pop(0) and None),
    "last predictor dropped": _several(lambda predictors: predictors.pop() and None),
    "predictors reordered": _several(lambda predictors: predictors.reverse()),
    "explainer dropped": lambda spec: None if _first(spec).pop("explainer", None) else ...,
    "explainer added": _explainer_added,
    "explainer config": _explainer_config,
    "explainer config dropped": _drop("config"),
    "explainer type": _explainer(type="ALE"),
    "explainer endpoint": _explainer(endpoint={"service_port": 9009}),
    "explainer model": _explainer(modelUri="s3://m/other"),
    "explainer model dropped": _drop("modelUri"),
    "explainer account": _explainer(serviceAccountName="other"),
    "explainer init parameters": _init_parameters,
    "explainer secret": _explainer_secret,
    "explainer variable": _container(env=[{"name": "A", "value": "2"}]),
    "explainer variable dropped": _container(env=[]),
    "explainer resources": _container(resources={"requests": {"cpu": "2"}}),
    "explainer resources dropped": _container(resources={}),
    "explainer image": _container(image="exi:2"),
    "transport": _top(transport="grpc"),
    "annotation added": lambda spec: spec.setdefault("annotations", {}).update(more="1"),
    "annotation changed": _annotation_changed,
    "annotation dropped": lambda spec: None if spec.get("annotations", {}).pop("project", None) else ...,
    "engine annotation": _engine_annotation,
    "engine in a pod of its own": _separate,
    "protocol": _seldon_to_v2,
    "weights": _several(_weights),
    "model": _served(modelUri="s3://m/other"),
    "model on a claim": _served(modelUri="pvc://other/x"),
    "implementation": _server("XGBOOST_SERVER"),
    "parameter added": _parameter,
    "parameter dropped": lambda spec: None if _first(spec)["graph"].pop("parameters", None) else ...,
    "secret": _served(envSecretRefName="other"),
    "account": _served(serviceAccountName="other"),
    "replicas": _replicas,
    "label": lambda spec: _first(spec).setdefault("labels", {}).update(more="1"),
}

#: What only the writer can know: nothing tells anybody else what was there before.
OURS = {"annotation dropped", "weights"}


def cases() -> Iterator[Any]:
    for one in recorded():
        name = one["manifest"]["metadata"]["name"]
        for what, change in CHANGES.items():
            spec = copy.deepcopy(one["manifest"]["spec"])
            if change(spec) is not ... and spec != one["manifest"]["spec"]:
                yield pytest.param(one, spec, what, id=f"{name}-{what.replace(' ', '-')}")


@pytest.mark.parametrize(("one", "spec", "what"), [*cases()])
def test_a_change_that_the_operator_has_not_seen_is_not_ready(one: dict[str, Any], spec: Spec, what: str):
    after = stored(one, spec, generation=2)
    for known in (True,) if what in OURS else (True, False):
        found = verdict(one, after, known=known)
        assert found.phase is Phase.PENDING, (found.reason, found.message, found.weaker)
