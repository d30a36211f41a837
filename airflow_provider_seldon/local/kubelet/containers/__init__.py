"""What a container needs to run on this machine: process, ports, volumes, environment, logs."""
