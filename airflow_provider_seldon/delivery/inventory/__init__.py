"""Which deployments are ours: finding, owning, taking over and removing them."""
