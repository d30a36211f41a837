"""The fleet: all deployments at one moment. Views of deployments, badges, and their selection. Pure."""
