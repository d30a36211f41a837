"""Access to the ingress gateway. For requests and the meaning of answers see delivery/prediction."""
