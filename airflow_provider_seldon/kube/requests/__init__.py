"""Single requests to the Kubernetes API: typed errors, retries, dry run."""
