"""What containers answer: Seldon's engine, the graph, model servers."""
