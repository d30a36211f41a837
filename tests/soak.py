"""
``python -m tests.soak [--rollouts 200]``: random rollouts against an operator with faults, and every verdict checked.

Seldon Core on this machine, with simulated pods and every fault switched on, serves a few deployments that are updated,
scaled, broken, fixed, deleted and re-created at random, all at the same time. READY is right if from then on the
gateway answers with the marker of the version that was waited for, and with no other; FAILED is right if the version
was broken on purpose. Anything else is wrong. Exit code 1 if anything was.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import copy
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.revision import stamped
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.access.configuration import ClusterSettings
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.watch.wait import wait
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.operator_faults import OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions

SHAPES = ("plain",) * 5 + ("canary", "canary", "separate engine", "no engine", "explainer")
LANES = len(SHAPES)
DEADLINE = 45.0
GATEWAY_LAG = 5.0
BROKEN = ("crash", "image-pull", "invalid-image", "missing-secret", "init-crash", "oom", "never-ready")
#: Times of a cluster in which everything is quick.
POLICY = FailurePolicy(
    suspect_after=0.5,
    failed_grace=5.0,
    waiting={"CreateContainerConfigError": 1.0, "ErrImagePull": 2.0, "InvalidImageName": 0.0},
)


@dataclass
class Lane:
    """One deployment and its random life."""

    name: str
    cluster: Cluster
    dice: random.Random
    shape: str = "plain"
    version: int = 0
    replicas: int = 1
    behaviour: str = ""
    exists: bool = False
    wrong: list[str] = field(default_factory=list)
    seen: collections.Counter[str] = field(default_factory=collections.Counter)

    async def live(self, rollouts: int) -> None:
        """Go through some rollouts, and check each verdict."""
        for _ in range(rollouts):
            what = await self._change()
            expected, stored = await self._apply()
            if self.dice.random() < 0.2:  # the deadline of an impatient predecessor
                await asyncio.sleep(self.dice.uniform(0.0, 0.5))
            outcome = await self.cluster.wait(self.name, expected)
            await self._check(what, outcome, stored)

    async def _change(self) -> str:
        options = ["update"] * 6 + ["break"] * 2 + ["scale", "again"]
        what = self.dice.choice(options) if self.exists and not self.behaviour else "update"
        if self.exists and self.dice.random() < 0.08:
            await self.cluster.delete(self.name)
            what = "re-created"
        if what in ("update", "break", "re-created"):
            self.version += 1
            self.behaviour = self.dice.choice(BROKEN) if what == "break" else ""
        if what != "again":
            self.replicas = self.dice.randint(1, 3)
        self.exists = True
        return what if not self.behaviour else f"break: {self.behaviour}"

    async def _apply(self) -> tuple[Expectation, SeldonDeployment]:
        behaviour = {"local.seldon/behaviour": self.behaviour} if self.behaviour else {}
        deadline = {"progressDeadlineSeconds": 2} if self.behaviour == "never-ready" else {}
        server = ModelServer.create(
            model_name=self.name,
            model_uri=f"gs://{self.name}/{self.version}",
            implementation="SKLEARN_SERVER",
            replicas=self.replicas,
            extra_args={"annotations": behaviour, **deadline} if behaviour else {},
            name=self.name,
        )
        request = server.to_deployment(identity=Identity(dag_id="soak", model_name=self.name))
        request = SeldonDeployment.from_manifest(self._shaped(request.to_manifest()))
        stored = await asyncio.to_thread(self.cluster.client.apply, request, force=True)
        return Expectation.of(stored), stored

    def _shaped(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Give a deployment its lane's shape."""
        spec, (predictor,) = manifest["spec"], manifest["spec"]["predictors"]
        if self.shape == "separate engine":
            spec["annotations"] = {"seldon.io/engine-separate-pod": "true"}
        elif self.shape == "no engine":
            predictor["annotations"]["seldon.io/no-engine"] = "true"
        elif self.shape == "explainer":
            predictor["explainer"] = {"type": "AnchorTabular", "modelUri": f"gs://explainer/{self.version}"}
        elif self.shape == "canary":
            canary = copy.deepcopy(predictor) | {"name": "canary", "traffic": 50}
            canary["graph"]["modelUri"] += "-canary"
            predictor["traffic"] = 50
            spec["predictors"].append(canary)
        spec["predictors"] = [stamped(one) for one in spec["predictors"]]
        return manifest

    async def _check(self, what: str, outcome: Outcome, stored: SeldonDeployment) -> None:
        self.seen[f"{what} -> {outcome.ending}"] += 1
        should = Ending.FAILED if self.behaviour else Ending.READY
        if outcome.ending is not should:
            told = f"{outcome.ending}: {outcome.reason}: {outcome.message}"
            self.wrong.append(f"{self.name} {self.version}, {self.shape}, {what}: {told}")
        elif should is Ending.READY:
            revisions = {one.annotations[ANNOTATION_REVISION] for one in stored.predictors if one.annotations}
            answers = await self.cluster.ask(self.name, 2 * self.replicas + 2)
            if not answers <= revisions:
                told = f"READY, but answers are of {answers}, not {revisions}"
                self.wrong.append(f"{self.name} {self.version}, {self.shape}, {what}: {told}")


class Cluster:
    """What the lanes do to the cluster, and ask of it."""

    def __init__(self, local: LocalSeldon, http: aiohttp.ClientSession) -> None:
        from kubernetes.client import ApiClient

        settings = ClusterSettings(kube_config=local.kubeconfig)
        self.access = ClusterAccess.of(settings)
        self.client = SeldonClient(ApiClient(configuration=self.access.resolve()), namespace="default")
        self._gateway = local.gateway_url
        self._http = http

    async def wait(self, name: str, expected: Expectation) -> Outcome:
        """Wait as the trigger does."""
        deadline = time.time() + DEADLINE
        return await wait(self.access, "default", name, expected=expected, deadline=deadline, policy=POLICY)

    async def delete(self, name: str) -> None:
        """Delete in the background: the children stay for a moment, and are adopted by name."""
        await asyncio.to_thread(self.client.delete, name, propagation="Background")

    async def ask(self, name: str, times: int) -> set[str]:
        """
        Return the markers in some predictions.

        The gateway learns of a new route a little after everybody else (SeldonIO/seldon-core #3474): until it has, it
        knows no answer, which is not a wrong one.
        """
        url = f"{self._gateway}/seldon/default/{name}/api/v1.0/predictions"
        body: dict[str, Any] = {"data": {"ndarray": [[1.0, 2.0, 3.0, 4.0]]}}
        markers: list[str] = []
        until = time.monotonic() + GATEWAY_LAG
        while len(markers) < times:
            async with self._http.post(url, json=body) as response:
                if response.status == 200:
                    markers.append((await response.json())["meta"]["tags"]["revision"])
                elif markers or time.monotonic() > until:
                    markers.append(f"HTTP {response.status}: {await response.text()}")
                else:
                    await asyncio.sleep(0.05)
        return set(markers)


async def soak(local: LocalSeldon, rollouts: int, seed: int) -> list[Lane]:
    """Let all lanes live, and return them."""
    async with aiohttp.ClientSession() as http:
        cluster = Cluster(local, http)
        lanes = [
            Lane(name=f"lane-{number}", cluster=cluster, dice=random.Random(f"{seed}-{number}"), shape=shape)
            for number, shape in enumerate(SHAPES)
        ]
        await asyncio.gather(*(lane.live(-(-rollouts // LANES)) for lane in lanes))
    return lanes


def main() -> int:
    """Return 0 when no verdict was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    began = time.monotonic()
    print(f"seed {given.seed}")
    options = LocalOptions(
        kubelet="simulated",
        operator_faults=OperatorFaults.all(seed=given.seed),
        seed=given.seed,
        pod_startup=(0.05, 0.5),
    )
    with LocalSeldon(options) as local:
        lanes = asyncio.run(soak(local, given.rollouts, given.seed))
    seen = sum((lane.seen for lane in lanes), collections.Counter[str]())
    for what, number in sorted(seen.items()):
        print(f"{number:5} {what}")
    wrong = [text for lane in lanes for text in lane.wrong]
    print("\n".join(wrong))
    print(f"{len(wrong)} wrong verdicts in {seen.total()} rollouts, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
