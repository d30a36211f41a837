"""Names, labels, annotations, revisions and ownership of deployments. Knows nothing of their state."""
