"""What a cycle costs, measured on one simulated market: `python -m bench`.

Each step runs in a process of its own, so that its peak memory is its own; the exchange too, so
that what it costs is not counted as the loader's.
"""
