"""The request of a DAG author, its validation, and its SeldonDeployment. It does not access a cluster."""
