"""What the operator makes for a SeldonDeployment. Pure."""
