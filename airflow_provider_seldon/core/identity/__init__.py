"""Names, labels, annotations, revisions and ownership of deployments. Knows nothing about their state."""
