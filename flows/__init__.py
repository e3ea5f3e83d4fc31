"""The rooms that know all the others: the flow, its tasks and the `p2p` command."""
