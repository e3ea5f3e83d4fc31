"""One book, read as one moment: its pages, its offers, its fingerprint."""
