"""A P2P exchange in one process: same API, a seeded market, faults, replays."""
