"""A small Kubernetes client for the controllers, the kubelet and the gateway of ``local``."""
