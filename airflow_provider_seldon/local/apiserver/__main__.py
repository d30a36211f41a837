"""``python -m airflow_provider_seldon.local.apiserver --port N``: the API server alone, without an operator."""

from __future__ import annotations

import argparse
import asyncio
import signal

from airflow_provider_seldon.local.apiserver.http.server import ApiServer


async def _serve(arguments: argparse.Namespace) -> None:
    server = ApiServer(
        tokens=arguments.token,
        namespaces=arguments.namespace or ["default"],
        create_namespaces=arguments.create_namespaces,
        admission=not arguments.no_admission,
        garbage_collection=not arguments.no_garbage_collection,
    )
    await server.start(arguments.host, arguments.port)
    print(server.url, flush=True)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop()


def main() -> None:
    """Parse the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--token", action="append", default=[], help="an accepted bearer token (repeatable)")
    parser.add_argument("--namespace", action="append", help="a namespace to create (default: default)")
    parser.add_argument("--create-namespaces", action="store_true", help="create namespaces on first use")
    parser.add_argument("--no-garbage-collection", action="store_true", help="do not delete dependents")
    parser.add_argument("--no-admission", action="store_true", help="accept every SeldonDeployment")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
