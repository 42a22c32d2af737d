"""Tasks: attempts and what is known of them, queues, keys, deadlines, verdicts."""
