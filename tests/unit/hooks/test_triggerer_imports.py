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
