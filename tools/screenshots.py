"""
The pictures in ``docs/images``, taken from the Airflow that this Python has.

``python tools/screenshots.py [name...]`` with the environment that the tests use, and Chromium in the ``PATH``. The
grid shows five runs of the example DAG with real model servers; it needs ``SELDON_LOCAL_MLSERVER_PYTHON``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from selenium.webdriver import ActionChains  # noqa: E402

from airflow_provider_seldon.core.identity.identity import Identity  # noqa: E402
from airflow_provider_seldon.core.request.model_server import ModelServer  # noqa: E402
from airflow_provider_seldon.hooks.seldon import SeldonHook  # noqa: E402
from airflow_provider_seldon.local.apiserver.access.authorization import Deny  # noqa: E402
from airflow_provider_seldon.local.cluster import LocalSeldon  # noqa: E402
from airflow_provider_seldon.local.options import LocalOptions  # noqa: E402
from tests.api_servers import api_servers, kube_config  # noqa: E402
from tests.e2e.browser import Browser  # noqa: E402
from tests.e2e.pages import ConnectionPages3, connection_pages  # noqa: E402
from tests.e2e.rest import AIRFLOW_3, eventually  # noqa: E402
from tests.e2e.standalone import Airflow  # noqa: E402
from tools.demo import RUNS  # noqa: E402

IMAGES = ROOT / "docs" / "images"
VERSION = "3.3" if AIRFLOW_3 else "2.11"
DAG_ID = "continuous_deployment"
NAMESPACE = "models"
EXAMPLE = {
    "namespace": NAMESPACE,
    "ingress_url": "https://models.example.com",
    "ingress_token": "not-a-real-token",
    "kube_config_path": "/opt/airflow/kubeconfig",
}

GOOD, BAD = "slow:0.1", "crash:3"
#: Model, version, accuracy, what its pods do, and the task that deploys it.
MODELS = (
    ("churn", 1, 0.89, GOOD, "deploy"),
    ("fraud", 1, 0.97, GOOD, "deploy"),
    ("churn", 2, 0.92, GOOD, "deploy"),
    ("churn", 3, 0.91, GOOD, "deploy"),
    ("churn", 5, 0.94, BAD, "deploy"),
    ("pricing", 4, 0.81, GOOD, "deploy"),
    ("recommendations", 2, 0.77, GOOD, "deploy_recommendations"),
)
DRAWN = "return getComputedStyle(document.querySelector('[data-scope=toast][data-part=root]')).opacity == 1"


class Photographer:
    """Takes each picture in a window of the size that suits it."""

    def __init__(self, airflow: Airflow, local: LocalSeldon, folder: Path) -> None:
        self.airflow = airflow
        self.local = local
        self.folder = folder

    @contextmanager
    def window(self, *, width: int = 1200, height: int) -> Iterator[Browser]:
        """Open a window."""
        browser = Browser(Path(tempfile.mkdtemp(dir=self.folder)), size=(width, height))
        try:
            yield browser
        finally:
            browser.close()

    def form(self) -> None:
        """The connection form, filled in."""
        with self.window(height=2250 if AIRFLOW_3 else 1900) as browser:
            pages = connection_pages(browser, url=self.airflow.url, rest=self.airflow.rest)
            pages.add("seldon_default")
            pages.fill(**EXAMPLE)
            eventually("the form has unfolded", lambda: len(pages.fields()) > len(EXAMPLE))
            browser.script("document.activeElement.blur()")
            shown = "//*[@role='dialog']" if AIRFLOW_3 else "//form[@id='model_form']"
            save(browser, f"connection-form-{VERSION}", of=shown)

    def test(self) -> None:
        """What the button "Test" answers: all is well, and a right is missing."""
        good = {"kube_config_path": str(self.local.kubeconfig_path), "namespace": NAMESPACE}
        with api_servers() as servers:
            deny = [Deny(verb="patch", resource="seldondeployments"), Deny(resource="pods/log")]
            bad = {"kube_config": kube_config(servers.start(deny=deny))}
            for name, extra in (("seldon_staging", good), ("seldon_production", bad)):
                # Airflow 2 tests in the form, where this machine's paths would be seen.
                with self.window(height=640) as browser:
                    pages = ConnectionPages3(browser, url=self.airflow.url, rest=self.airflow.rest)
                    pages.test(name, **extra)
                    eventually(
                        "the message is drawn", lambda window=browser: window.script(DRAWN), every=0.05
                    )
                    works = "good" if extra is good else "bad"
                    save(browser, f"connection-test-{works}-{VERSION}")

    def grid(self) -> None:
        """The example DAG after runs that deploy, keep, fail and come too late."""
        store = (self.folder / "models").as_uri()
        for run in (run for run in RUNS if run.dag == DAG_ID):
            task = self.airflow.rest.run(DAG_ID, day=run.day, task="deploy", store=store, **run.conf)
            eventually(f"the run of day {run.day} has ended", lambda day=run.day: self._ended(day))
            print(f"{run.title}: {task.read()['state']}")
        with self.window(width=800, height=520) as browser:
            browser.open(f"{self.airflow.url}/dags/{DAG_ID}")
            # The details give way to the grid.
            handle = browser.find("//*[@data-panel-resize-handle-id or @data-resize-handle]")
            ActionChains(browser.driver).drag_and_drop_by_offset(handle, 200, 0).perform()
            runs = "return new Set([...document.querySelectorAll('a[href*=\"/runs/run-\"]')].map(one => one.href)).size"
            eventually("the grid is drawn", lambda: browser.script(runs) >= len(RUNS))
            time.sleep(1)  # for what grows or fades
            save(browser, f"grid-{VERSION}")

    def fleet(self) -> None:
        """The fleet page and a deployment's own, with models that serve, and one that does not."""
        self.fill_fleet()
        with self.window(width=1400, height=680) as browser:
            browser.open(f"{self.airflow.url}/plugin/seldon")
            frame = browser.find("//iframe[@title='Seldon']")
            browser.driver.switch_to.frame(frame)
            browser.find("//tbody[contains(., 'exit code')]")
            browser.driver.switch_to.default_content()
            save(browser, f"fleet-{VERSION}")
        with self.window(width=1000, height=1200) as browser:
            browser.open(f"{self.airflow.url}/")
            browser.script("localStorage.setItem('theme', 'dark')")
            browser.open(f"{self.airflow.url}/plugin/seldon")
            browser.driver.switch_to.frame(browser.find("//iframe[@title='Seldon']"))
            browser.click("//tbody//th/a[starts-with(normalize-space(), 'churn')]")
            browser.find("//section[h2='Diagnosis']/pre[contains(., 'exit code')]")
            browser.driver.switch_to.default_content()
            save(browser, f"fleet-deployment-{VERSION}")

    def fill_fleet(self) -> None:
        """Deploy some models, as tasks of two DAGs would."""
        os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = self.local.airflow_connection()
        hook = SeldonHook()
        for model, version, accuracy, behaviour, task in MODELS:
            server = ModelServer(
                model_name=model,
                model_uri=f"s3://models/{model}/{version}",
                implementation="SKLEARN_SERVER",
                extra_args={"annotations": {"local.seldon/behaviour": behaviour}},
            )
            identity = Identity(
                dag_id=DAG_ID,
                task_id=task,
                model_name=model,
                run_id=f"scheduled__2026-01-{version:02}T00:00:00+00:00",
            )
            rollout = hook.deploy_model(server, identity=identity, metrics={"accuracy": accuracy})
            if behaviour == GOOD:
                outcome = hook.wait_for(rollout.name, expected=rollout.expected, deadline=time.time() + 60)
                hook.raise_for_outcome(outcome)
                hook.complete(rollout)

    def _ended(self, day: int) -> bool:
        runs = {run["dag_run_id"]: run["state"] for run in self.airflow.rest.runs(DAG_ID)}
        return runs.get(f"run-{day}") in {"success", "failed"}


def save(browser: Browser, name: str, *, of: str = "") -> None:
    """Save a picture."""
    file = IMAGES / f"{name}.png"
    browser.screenshot(file, of=of)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} kB")


def main(names: list[str]) -> int:
    """Take the pictures that are named, else all that this version of Airflow has."""
    names = names or ["form", *(["test", "grid", "fleet"] if AIRFLOW_3 else [])]
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="seldon-pictures-", ignore_cleanup_errors=True) as name,
        LocalSeldon(
            LocalOptions(namespace=NAMESPACE, kubelet="process" if "grid" in names else "simulated")
        ) as local,
    ):
        folder = Path(name)
        (folder / "airflow").mkdir()
        airflow = Airflow(
            folder / "airflow",
            dags=[ROOT / "example_dags" / f"{DAG_ID}.py"],
            connection=local.airflow_connection(),
            settings={
                "AIRFLOW__SELDON__FLEET_CONNECTIONS": "seldon_default" if "fleet" in names else "",
                "PYTHONPATH": str(ROOT),
            },
        )
        try:
            airflow.start()
            photographer = Photographer(airflow, local, folder)
            for picture in names:
                getattr(photographer, picture)()
        except BaseException:
            print(airflow.output())
            raise
        finally:
            airflow.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
