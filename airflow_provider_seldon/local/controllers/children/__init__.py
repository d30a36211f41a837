"""What the operator makes for a SeldonDeployment. Pure: writes nothing."""
