"""
Use cases on a cluster, each as a sequence of requests that can be interrupted anywhere.

A hook passes in a :class:`~airflow_provider_seldon.delivery.target.Target`. Nothing here imports a hook or a
trigger. Decisions are in ``core``, single requests in ``kube``.
"""
