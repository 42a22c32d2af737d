"""Tasks: attempts and their evidence, queues, keys, deadlines, verdicts."""
