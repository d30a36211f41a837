# An image for SeldonDeployCustomModelOperator: Python, the provider's serving part, and your own module.
FROM python:3.12-slim
WORKDIR /app
# --no-deps: what runs in the container needs no Airflow. For protocol="v2" add mlserver here.
RUN pip install --no-cache-dir --no-deps airflow-provider-seldon \
 && pip install --no-cache-dir numpy
COPY my_package ./my_package
# Seldon Core's charts run containers as user 8888 by default.
USER 8888
CMD ["python", "-m", "airflow_provider_seldon.serving", "--predict", "my_package.my_module:predict"]
