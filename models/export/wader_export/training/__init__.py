"""Training: simulated clips from a worker process, stages, one JSON-lines log."""
