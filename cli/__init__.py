"""The `p2p` command: what it asks, shows and writes."""
