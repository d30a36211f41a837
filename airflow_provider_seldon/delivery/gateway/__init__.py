"""How the ingress gateway is reached. What is sent to it, and what an answer means: see delivery/prediction."""
