"""
Requests through the API server to what is behind a Service: one predictor, whatever its part of the traffic.

What answers is a model, or whatever runs in its place, so nothing of an answer is trusted: no redirect is followed, its
size is limited, and its text reaches no error. The API server keeps the credentials to itself (Kubernetes,
authentication filter); the account needs ``create`` on ``services/proxy``.
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

#: The right that it takes: verb, API group, resource.
RIGHT = ("create", "", "services/proxy")
#: Bytes of an answer, unpacked.
MAX_ANSWER = 4 * 1024 * 1024
#: Name that Seldon's operator gives the HTTP port of each predictor's Service.
PORT = "http"
#: What may be over in a moment.
_PASSING = frozenset({0, 429, 502, 503, 504})


class ServiceProxy:
    """
    Asks Services of one namespace, in one event loop; to be used as a context.

    :param access: the cluster and who we are there.
    :param namespace: of the Services.
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
        :raises ServerUnavailableError: there is no answer at the moment; asking again may help.
        :raises PredictionError: an error, a redirect, or an answer that is too large or no JSON.
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
            problem = "answers with what is no JSON"
        except ServerUnavailableError as error:
            if error.status in _PASSING:
                raise ServerUnavailableError(
                    f"{service} cannot be asked at the moment", status=error.status
                ) from None
            problem, status = f"answers with HTTP {error.status}", error.status
        except SeldonError as error:
            # The text may quote what the model has answered.
            problem = f"does not answer ({type(error).__name__})"
        raise PredictionError(f"{service} {problem}", status=status)
