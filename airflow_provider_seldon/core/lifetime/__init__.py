"""Expiry of deployments. Knows nothing about rollouts; ``core.reaping`` decides about expired ones."""
