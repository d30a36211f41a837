"""Which deployments are ours: listing, owning, adopting and deleting. Writes no version."""
