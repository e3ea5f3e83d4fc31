"""When a request may go out: token bucket, breaker and bans, also over several processes."""
