"""Keeping the warehouse small: days of raw pages expire, archived first; tables are vacuumed."""

import load  # noqa: F401 - it settles what dlt reads when it is first imported
