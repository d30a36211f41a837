"""Parts of a container on this machine: process, ports, volumes, environment, logs."""
