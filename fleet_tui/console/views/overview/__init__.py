"""Shows health, queue, alerts, routing and logs on one screen."""
