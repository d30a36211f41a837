"""Random histories of racing runs; an oracle knows only what the gateway answers and what the runs were told."""
