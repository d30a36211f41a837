"""One deploy to many clusters: where it goes, and what a run found there."""
