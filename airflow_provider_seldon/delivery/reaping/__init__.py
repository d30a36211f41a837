"""Clean up what nobody needs any more: abandoned canaries and expired deployments."""
