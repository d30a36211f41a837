"""The controllers for a SeldonDeployment: Seldon's operator, Deployments, ReplicaSets. They run no pods."""
