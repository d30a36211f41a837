"""Numbers of pods: requested ones, zero, and those that an autoscaler has set. Scales nothing."""
