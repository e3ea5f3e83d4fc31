"""The parts of a page, a file each: what it asks of which mart, and how that is drawn."""
