"""
What runs inside a custom model's container: a user's function, served over model files.

Needs Python and nothing else; MLServer only for ``runtime``, numpy where it is there. Imports no Airflow.

- ``python -m airflow_provider_seldon.serving --predict package.module:function`` serves Seldon's protocol, and with
  ``--protocol v2`` the open inference protocol (by MLServer).
- ``wrapper.SeldonModel`` is a model class for Seldon's own ``seldon-core-microservice``.
- ``runtime.FunctionRuntime`` is a runtime for MLServer's own ``mlserver start``.
"""
