"""Decides about leftovers: canaries with an expired lease, deployments that have expired or whose task is gone."""
