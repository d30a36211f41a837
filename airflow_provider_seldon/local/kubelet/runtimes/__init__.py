"""The two container runtimes: processes of this machine, and a simulation."""
