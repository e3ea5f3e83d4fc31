"""The dlt source, the load, and a state that follows the warehouse."""
