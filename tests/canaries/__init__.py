"""Random canaries against a cluster with faults, a real Prometheus, and an oracle that knows what was ordered."""
