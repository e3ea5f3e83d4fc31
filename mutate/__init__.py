"""A mutation harness: what the tests of the models would not find. Nothing imports it."""
