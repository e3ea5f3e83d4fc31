"""Official rates and spot prices: read from other hosts, or imported."""
