"""What the `p2p` command does: a file for each, put together in `cli.main`."""
