"""What a trigger imports on the event loop."""

from __future__ import annotations

import subprocess
import sys


def test_what_a_trigger_imports_on_the_event_loop_brings_no_client_and_no_hook() -> None:
    code = (
        "import sys\n"
        "import airflow_provider_seldon.hooks.triggerer\n"
        "import airflow_provider_seldon.delivery.waiting.triggerer_wait\n"
        "slow = ('kubernetes', 'kubernetes_asyncio', 'aiohttp', 'airflow.', 'airflow_provider_seldon.kube')\n"
        "found = [one for one in sys.modules if one.startswith(slow)]\n"
        "sys.exit(', '.join([*found, *({'airflow_provider_seldon.hooks.seldon'} & set(sys.modules))]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_what_a_wait_needs_is_imported_together_in_a_thread_and_not_on_the_event_loop_later() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_seldon.hooks import triggerer\n"
        "triggerer._hook_class()\n"
        "sys.exit(', '.join({'aiohttp', 'kubernetes.config', 'yaml'} - set(sys.modules)) or 0)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
