"""What a deploy does, given the existing deployments: plan, decisions, fence, history. No readiness."""
