"""The objects that the operator creates for a SeldonDeployment. Pure: writes nothing."""
