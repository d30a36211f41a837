"""
The server inside a custom model's container: serves a user's function with model files.

Needs only Python; MLServer only for ``runtime``, and uses numpy if installed. Imports no Airflow.

- ``python -m airflow_provider_seldon.serving --predict package.module:function`` serves Seldon's protocol, and with
  ``--protocol v2`` the open inference protocol (by MLServer).
- ``wrapper.SeldonModel`` is a model class for Seldon's own ``seldon-core-microservice``.
- ``runtime.FunctionRuntime`` is a runtime for MLServer's own ``mlserver start``.
"""
