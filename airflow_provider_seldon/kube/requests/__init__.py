"""Single requests to the Kubernetes API: typed errors, retries, dry run. Watches are in kube/watch."""
