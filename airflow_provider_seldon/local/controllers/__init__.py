"""The controllers that matter to a SeldonDeployment: Seldon's operator, Deployments, ReplicaSets. They run no pods."""
