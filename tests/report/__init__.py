"""Tests of the pages that `p2p report` writes."""
