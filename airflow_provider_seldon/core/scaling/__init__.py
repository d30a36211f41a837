"""Numbers of pods: what is asked for, what sleeps, what an autoscaler has set. Scales nothing."""
