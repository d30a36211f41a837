"""The fleet: what serves, as one look shows it. Views of deployments, their badges, and choosing among them. Pure."""
