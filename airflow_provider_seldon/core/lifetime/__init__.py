"""How long a deployment is meant to be there. Knows nothing of rollouts; what is over is judged in ``core.reaping``."""
