"""Which agent takes which task: filters, then scores, and the explanation of both."""
