"""What to do with a request, given what is there: plan, decisions, fence, history. Judges no readiness."""
