"""
Use cases: what is carried out on a cluster, in an order of requests that may be interrupted anywhere.

A hook hands a :class:`~airflow_provider_seldon.delivery.target.Target` down. Nothing here imports a hook or a trigger.
What is decided is in ``core``, single requests are in ``kube``.
"""
