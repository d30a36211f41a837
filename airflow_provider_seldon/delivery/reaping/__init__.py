"""Clean up abandoned canaries and expired deployments."""
