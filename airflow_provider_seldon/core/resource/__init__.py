"""The SeldonDeployment custom resource as data: models of the CRD, manifests, unstructured objects. Decides nothing."""
