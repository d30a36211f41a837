"""``python -m airflow_provider_seldon.local up``: Seldon Core on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import signal
from pathlib import Path

from aiohttp import ClientError

from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, OperatorFaults
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON


def main() -> None:
    """Parse the command line and run until interrupted."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_up(arguments))
    except (OSError, ValueError, ApiError, TimeoutError, ClientError) as error:
        raise SystemExit(f"cannot start: {error or type(error).__name__}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_seldon.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start, and stop on Ctrl-C", description=__doc__)
    up.add_argument(
        "--cluster",
        type=Path,
        help="kubeconfig of an API server without controllers to use; clients still connect to this process",
    )
    up.add_argument("--port", type=int, default=0, help="port of the API server (default: a free one)")
    up.add_argument("--gateway-port", type=int, default=0, help="port of the ingress (default: a free one)")
    up.add_argument("--namespace", default="default", help="namespace to create and use (default: default)")
    up.add_argument("--kubeconfig", type=Path, help="where to write the kubeconfig")
    up.add_argument("--workdir", type=Path, help="directory of the pods' files (default: a temporary one)")
    up.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="serve the API over TLS (default; kubectl sends tokens over TLS only)",
    )
    up.add_argument(
        "--token",
        nargs="?",
        const="",
        default="",
        help="the bearer token to require (default: a random one)",
    )
    up.add_argument(
        "--no-token",
        action="store_true",
        help="require no token: every user of this machine has all permissions, and can run commands as you",
    )
    up.add_argument("--mlserver-python", help=f"a Python with MLServer (default: ${ENV_MLSERVER_PYTHON})")
    up.add_argument("--simulated", action="store_true", help="simulate pods instead of running processes")
    up.add_argument(
        "--operator-faults",
        "--lies",
        dest="operator_faults",
        action="store_true",
        help="make the status wrong as often as in a busy cluster",
    )
    return parser


def _options(arguments: argparse.Namespace) -> LocalOptions:
    token = None if arguments.no_token else arguments.token or secrets.token_urlsafe(24)
    if arguments.cluster and token is None:
        raise ValueError("with --cluster, clients get the rights of that kubeconfig: a token is required")
    chosen = {"mlserver_python": arguments.mlserver_python} if arguments.mlserver_python else {}
    return LocalOptions(
        cluster=arguments.cluster,
        port=arguments.port,
        gateway_port=arguments.gateway_port,
        namespace=arguments.namespace,
        kubeconfig=arguments.kubeconfig.absolute() if arguments.kubeconfig else None,
        workdir=arguments.workdir.absolute() if arguments.workdir else None,
        tls=arguments.tls,
        token=token,
        kubelet="simulated" if arguments.simulated else "process",
        operator_faults=OperatorFaults.all() if arguments.operator_faults else OperatorFaults(),
        **chosen,
    )


async def _up(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    local = LocalSeldon(_options(arguments))
    await local.start()
    try:
        print(_screen(local), flush=True)
        await stopped.wait()
        print("\nstopping", flush=True)
    finally:
        await local.stop()


def _screen(local: LocalSeldon) -> str:
    options = local.options
    if options.kubelet == "simulated":
        pods = "simulated: no processes, generated predictions"
    elif options.mlserver_python:
        pods = f"processes; SKLEARN_SERVER and XGBOOST_SERVER by {options.mlserver_python}"
    else:
        pods = f"processes; set {ENV_MLSERVER_PYTHON} for SKLEARN_SERVER and XGBOOST_SERVER"
    return "\n".join(
        [
            "Seldon Core on this machine. Ctrl-C stops it and leaves nothing behind.",
            "",
            f"  API server  {local.api_url}",
            f"  Ingress     {local.gateway_url}/seldon/<namespace>/<name>/",
            f"  Pods        {pods}",
            f"  kubeconfig  {local.kubeconfig_path}",
            "",
            f"kubectl --kubeconfig {local.kubeconfig_path} get sdep,deployments,pods",
            f"export AIRFLOW_CONN_SELDON_DEFAULT='{local.airflow_connection()}'",
        ]
    )


if __name__ == "__main__":
    main()
