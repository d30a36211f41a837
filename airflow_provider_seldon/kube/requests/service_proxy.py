"""
Requests through the API server to the backend of a Service: one predictor, whatever its share of the traffic.

The backend is a model, or whatever runs in its place, so its answers are not trusted: no redirect is
followed, their size is limited, and their text appears in no error. The API server does not forward the
credentials (Kubernetes, authentication filter); the account needs ``create`` on ``services/proxy``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_seldon.exceptions import PredictionError, SeldonError, ServerUnavailableError
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.session import ApiSession

if TYPE_CHECKING:
    from airflow_provider_seldon.kube.access.access import ClusterAccess

#: The permission that it needs: verb, API group, resource.
RIGHT = ("create", "", "services/proxy")
#: Maximum bytes of an answer, unpacked.
MAX_ANSWER = 4 * 1024 * 1024
#: Name that Seldon's operator gives the HTTP port of each predictor's Service.
PORT = "http"
#: HTTP statuses of temporary failures.
_PASSING = frozenset({0, 429, 502, 503, 504})


class ServiceProxy:
    """
    Sends requests to Services of one namespace, in one event loop; used as a context manager.

    :param access: the cluster and our identity there.
    :param namespace: namespace of the Services.
    """

    def __init__(self, access: ClusterAccess, *, namespace: str) -> None:
        self._session = ApiSession(access)
        self._namespace = namespace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, service: str, below: str, body: Mapping[str, Any], *, timeout: float) -> Any:
        """
        POST a JSON body and return the decoded answer.

        :param service: name of the Service.
        :param below: path of the request, quoted.
        :param timeout: seconds, from connecting to the last byte.
        :raises ServerUnavailableError: there is no answer at the moment; a retry may help.
        :raises PredictionError: an error, a redirect, or an answer that is too large or not JSON.
        """
        path = paths.service_proxy(self._namespace, service, PORT, below)
        problem, status = "", 0
        try:
            async with self._session.open(path, timeout=timeout, posted=body) as response:
                answer = bytearray()
                async for chunk in response.content.iter_chunked(65536):
                    answer += chunk
                    if len(answer) > MAX_ANSWER:
                        raise PredictionError(f"{service} answers more than {MAX_ANSWER >> 20} MiB")
            return json.loads(bytes(answer))
        except PredictionError:
            raise
        except (ValueError, RecursionError):
            problem = "answers with something that is not JSON"
        except ServerUnavailableError as error:
            if error.status in _PASSING:
                raise ServerUnavailableError(
                    f"{service} is unavailable at the moment", status=error.status
                ) from None
            problem, status = f"answers with HTTP {error.status}", error.status
        except SeldonError as error:
            # The message may quote the model's answer.
            problem = f"does not respond ({type(error).__name__})"
        raise PredictionError(f"{service} {problem}", status=status)
