"""I/O against the Kubernetes API; decides nothing."""
