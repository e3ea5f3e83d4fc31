"""The record: runs, checks, quarantine and the metrics made of them."""
