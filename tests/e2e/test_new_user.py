"""
What a new user does, from the installed package to a DAG that starts because a model serves: all in the browser.

``make package`` runs this: Airflow then runs in the environment that the wheel has been installed in, and nothing of
the checkout is in sight of it but two example DAGs, copied. The tests are that user's cluster and fingers.
"""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON, LocalOptions, ObjectStore
from tests.airflow_version import AIRFLOW_3
from tests.e2e.conftest import EXAMPLES, NAMESPACE
from tests.e2e.rest import eventually
from tests.e2e.standalone import Airflow

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.e2e.browser import CHROMIUM, DRIVER, Browser
from tests.e2e.dag_pages import dag_pages
from tests.e2e.pages import connection_pages

PYTHON = os.environ.get("SELDON_TEST_INSTALLED_PYTHON", "")
#: A file to save a picture of the last page to.
PICTURE = os.environ.get("SELDON_TEST_PICTURE", "")
WHERE = "import airflow_provider_seldon as one, sys; print('from', one.__file__, 'in', sys.prefix)"
KEYS = ("a-key", "a-secret")
#: The model's row on the fleet page.
IRIS = "//tbody/tr[th/a[normalize-space()='iris']]"
#: What breaks it, and leaves it broken: there is no such version in the bucket.
BREAKS = """from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

SeldonDeployModelOperator(
    task_id="deploy",
    namespace="models",
    name="iris",
    model_name="iris",
    model_uri="s3://models/iris/999",
    implementation="SKLEARN_SERVER",
    on_failure="keep",
    failure_policy={"suspect_after": 1},
    timeout=120,
)
"""

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PYTHON, reason="SELDON_TEST_INSTALLED_PYTHON is not set; `make package` sets it"),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="there is no chromium, or no chromedriver, in the PATH"
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSeldon]:
    """Seldon Core, with a trained model in a bucket and a Secret that opens it; real model servers where there are."""
    store = tmp_path_factory.mktemp("store")
    train(store / "models" / "iris" / "1")
    real = Path(os.environ.get(ENV_MLSERVER_PYTHON) or "/nowhere").exists()
    options = LocalOptions(
        token=None,
        namespace=NAMESPACE,
        kubelet="process" if real else "simulated",
        object_stores={"s3": ObjectStore(folder=store, credentials=KEYS)},
    )
    with LocalSeldon(options) as local:
        names = ("TYPE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
        data = {f"RCLONE_CONFIG_S3_{name}": value for name, value in zip(names, ("s3", *KEYS), strict=True)}
        secret = {"metadata": {"name": "model-store"}, "stringData": data}
        post(f"{local.api_url}/api/v1/namespaces/{NAMESPACE}/secrets", secret)
        yield local


@pytest.fixture(scope="module")
def grafana() -> Iterator[str]:
    """The address of a server with a page about each deployment."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"<h1>What Grafana knows</h1>{self.path}".encode())

        def log_message(self, *_: object) -> None:
            return

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def airflow(grafana: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """A new Airflow in the package's environment: two example DAGs, switched off, and no connection."""
    airflow = Airflow(
        tmp_path_factory.mktemp("airflow"),
        dags=[EXAMPLES / "asset_triggered.py"],
        connection=None,
        settings={
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__SELDON__FLEET_CONNECTIONS": "seldon_default",
            # Who writes a DAG file here waits no five minutes for Airflow to see it.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__SELDON__DASHBOARD_URL": f"{grafana}/d/seldon?ns={{namespace}}&name={{name}}",
        },
        python=Path(PYTHON),
    )
    try:
        airflow.start()
        yield airflow
    except BaseException:
        print(airflow.output())
        raise
    finally:
        airflow.stop()


def test_a_new_user_connects_deploys_looks_around_and_sees_the_next_dag_start(
    airflow: Airflow, cluster: LocalSeldon, grafana: str, tmp_path: Path
) -> None:
    where = airflow.command(PYTHON, "-c", WHERE).split()
    installed, prefix = Path(where[where.index("from") + 1]), Path(where[where.index("in") + 1])
    assert prefix == Path(PYTHON).parents[1]
    assert installed.is_relative_to(prefix), f"this is {installed}, not the installed package"

    browser = Browser(tmp_path, size=(1400, 1900))
    try:
        connect(browser, airflow, cluster)
        pages = dag_pages(browser, url=airflow.url)
        pages.unpause("asset_triggered")
        pages.trigger("deploy_iris")
        pages.open_run("deploy_iris")
        pages.wait_until_green()

        pages.open_task("deploy_iris", "deploy")
        pages.wait_until_green()
        base = f"{cluster.gateway_url}/seldon/{NAMESPACE}/iris/api/v1.0"
        url, text = pages.follow("Prediction endpoint")
        assert url == f"{base}/predictions"
        assert "takes POST, not GET" in text
        answer = requests.post(url, json={"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}, timeout=30)
        assert answer.ok, answer.text
        print(f"{url} answers {answer.text}")
        url, text = pages.follow("Seldon API")
        assert (url, text.partition("\n")[0]) == (f"{base}/doc/", "Predictor default")
        url, text = pages.follow("Dashboard")
        assert url == f"{grafana}/d/seldon?ns={NAMESPACE}&name=iris"
        assert "What Grafana knows" in text

        pages.open_run("asset_triggered")
        pages.wait_until_green()
        if AIRFLOW_3:
            look_at_the_fleet(browser, airflow)
            mend_what_is_broken(browser, airflow)
        if PICTURE:
            browser.screenshot(Path(PICTURE))
    except BaseException:
        if PICTURE:
            browser.screenshot(Path(PICTURE))
        raise
    finally:
        browser.close()


def connect(browser: Browser, airflow: Airflow, cluster: LocalSeldon) -> None:
    """Type the connection in, save it, and press "Test"."""
    pages = connection_pages(browser, url=airflow.url, rest=airflow.rest)
    port = {"port": "0"} if AIRFLOW_3 else {}  # see field_behaviour()
    pages.add("seldon_default")
    pages.fill(
        **port,
        namespace=NAMESPACE,
        ingress_url=cluster.gateway_url,
        storage_env_from="model-store",
        kube_config_path=str(cluster.kubeconfig_path),
    )
    if AIRFLOW_3:
        pages.save()
    _, message = pages.test("seldon_default")
    print(message)
    assert (
        message
        == f"Seldon Core answers in namespace {NAMESPACE}, and the account has all necessary permissions."
    )
    if not AIRFLOW_3:
        pages.save()


def look_at_the_fleet(browser: Browser, airflow: Airflow) -> None:
    """Find the model on the fleet page, by the connection that was typed in, and follow it to its run."""
    show_fleet(browser, airflow)
    browser.find(f"{IRIS}[contains(., 'serving')][contains(., 'proven')]")
    browser.click("//tbody//a[@data-airflow][contains(@href, '/runs/')]")
    browser.driver.switch_to.default_content()
    eventually("Airflow shows the run", lambda: "/dags/deploy_iris/runs/" in browser.driver.current_url)


def mend_what_is_broken(browser: Browser, airflow: Airflow) -> None:
    """Break the model, find it and its cause on the fleet page, follow the run, and run what is copied from there."""
    add_dag(airflow, "break_iris", BREAKS)
    airflow.rest.run("break_iris", day=1).wait_for("failed")
    show_fleet(browser, airflow)
    browser.find(f"{IRIS}[contains(., 'failed')][contains(., 'Last failure')]")
    browser.click(f"{IRIS}//th/a")
    diagnosis = browser.find("//section[h2='Diagnosis']/pre").text
    print(f"The page says why:\n{diagnosis}")
    snippet = browser.find("//pre[@id='snippet']").text
    print(f"and how to go back:\n{snippet}")
    browser.click("//section[h2='Now']//a[@data-airflow][contains(@href, '/runs/')]")
    browser.driver.switch_to.default_content()
    eventually("Airflow shows the run", lambda: "/dags/break_iris/runs/run-1" in browser.driver.current_url)
    add_dag(airflow, "mend_iris", snippet)
    task = next(line for line in snippet.splitlines() if "task_id=" in line).split('"')[1]
    airflow.rest.run("mend_iris", day=1, task=task).wait_for("success")
    show_fleet(browser, airflow)
    found = browser.find(f"{IRIS}[contains(., 'serving')][contains(., 'proven')]").text
    assert "not proven" not in found
    print(f"It is green again:\n{found}")
    browser.driver.switch_to.default_content()


def add_dag(airflow: Airflow, dag_id: str, task: str) -> None:
    """Write a DAG of one task, and switch it on once it is known."""
    imports, _, body = task.partition("\n\n")
    body = body.replace("\n", "\n    ").rstrip()
    (airflow.folder / "dags" / f"{dag_id}.py").write_text(
        f"from datetime import datetime\nfrom airflow.sdk import DAG\n{imports}\n\n"
        f'with DAG("{dag_id}", schedule=None, start_date=datetime(2026, 1, 1)):\n    {body}\n'
    )
    eventually(f"{dag_id} is known", lambda: dag_id in known_dags(airflow))
    airflow.rest.call("PATCH", f"/dags/{dag_id}", {"is_paused": False})


def known_dags(airflow: Airflow) -> set[str]:
    """Return the ids of all DAGs."""
    return {one["dag_id"] for one in airflow.rest.call("GET", "/dags")["dags"]}


def show_fleet(browser: Browser, airflow: Airflow) -> None:
    """Open the fleet page, and be in its frame."""
    browser.open(f"{airflow.url}/plugin/seldon")
    browser.driver.switch_to.frame(browser.find("//iframe[@title='Seldon']"))


def train(folder: Path) -> None:
    """Put a model where another owner's training would."""
    import joblib
    from sklearn import datasets, tree

    folder.mkdir(parents=True)
    model = tree.DecisionTreeClassifier(random_state=0).fit(*datasets.load_iris(return_X_y=True))
    joblib.dump(model, folder / "model.joblib")


def post(url: str, body: object) -> None:
    """Create an object in the cluster."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    """Let a server serve in its own thread."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
