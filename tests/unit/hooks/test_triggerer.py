"""What the first trigger of a process does for all that follow."""

from __future__ import annotations

import json
import os

from tests.python_process import ask_python

PROBE = """
import asyncio, gc, json, os, sys
sys.path.insert(0, {root!r})
from tests.python_process import answer
from airflow_provider_seldon.hooks.triggerer import reach

os.environ["AIRFLOW_CONN_MANY"] = json.dumps({{"conn_type": "seldon"}})
before = (gc.get_threshold(), gc.isenabled(), gc.get_debug())

async def hooks():
    await reach("many", "models")
    first, seen = gc.get_freeze_count(), len(gc.get_objects())
    await asyncio.gather(*(reach("many", "models") for _ in range(50)))
    return first, seen, gc.get_freeze_count()

first, seen, later = asyncio.run(hooks())
unchanged = (gc.get_threshold(), gc.isenabled(), gc.get_debug()) == before
imported = [name in sys.modules for name in ("kubernetes.config", "airflow_provider_seldon.kube.watch.wait")]
answer([first, seen, later, unchanged, *imported])
"""


def test_what_waits_import_is_hidden_from_the_collector_once() -> None:
    code = PROBE.format(root=os.getcwd())
    frozen, left, later, settings_unchanged, *imported = ask_python("-c", code, env=dict(os.environ))
    assert frozen > 100_000  # Airflow's and ours
    assert left < frozen / 2  # what a full pass still looks at; Airflow 2.11 imports a part later
    assert later <= frozen  # what has gone by its count since is no longer there
    assert settings_unchanged
    assert imported == [True, True]


MANY = """
import asyncio, gc, json, os, sys, weakref
sys.path.insert(0, {root!r})
from tests.python_process import answer
from airflow_provider_seldon.hooks.triggerer import SPARED_WAITS, reach, spare_collector

class Held:
    pass

async def main():
    await reach("many", None)
    frozen = []
    for waits in (1, SPARED_WAITS, SPARED_WAITS + 1, 2 * SPARED_WAITS, 3, 2 * SPARED_WAITS):
        held, before = [Held() for _ in range(100)], gc.get_freeze_count()
        spare_collector(waits)
        frozen.append(gc.get_freeze_count() > before + 50)
        gone = weakref.ref(held[0])
        del held
    return [frozen, gone() is None]

answer(asyncio.run(main()))
"""


def test_each_new_maximum_of_waits_is_hidden_from_the_collector_and_still_freed() -> None:
    frozen, freed = ask_python("-c", MANY.format(root=os.getcwd()), env=_environment())
    assert frozen == [False, True, False, True, False, False]
    assert freed


SHARED = """
import asyncio, json, os, sys
sys.path.insert(0, {root!r})
from tests.python_process import answer
from airflow_provider_seldon.hooks.triggerer import reach

async def main():
    first, again = await reach("many", None), await reach("many", None)
    elsewhere = await reach("many", "other")
    extra = {{"namespace": "models", "kube_config": os.environ["KUBE_CONFIG"], "ingress_url": "http://gateway"}}
    os.environ["AIRFLOW_CONN_MANY"] = json.dumps({{"conn_type": "seldon", "extra": extra}})
    changed = await reach("many", None)
    return [first is again, elsewhere is first, elsewhere.namespace, changed is first, changed.ingress.url]

answer(asyncio.run(main()))
"""


def test_triggers_share_the_access_of_a_connection_until_it_changes() -> None:
    code = SHARED.format(root=os.getcwd())
    assert ask_python("-c", code, env=_environment()) == [True, False, "other", False, "http://gateway"]


def _environment() -> dict[str, str]:
    cluster = {"name": "one", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "one", "context": {"cluster": "one", "user": "one"}}
    kube_config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "one", "user": {}}],
    }
    told = json.dumps(kube_config)
    connection = {"conn_type": "seldon", "extra": {"namespace": "models", "kube_config": told}}
    return os.environ | {"AIRFLOW_CONN_MANY": json.dumps(connection), "KUBE_CONFIG": told}
