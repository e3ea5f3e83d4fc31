"""Which books to read now, from what is known of them and the budget of requests."""
