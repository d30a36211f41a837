"""What a DAG author asks for, its validation, and how it becomes a SeldonDeployment. Knows no cluster."""
