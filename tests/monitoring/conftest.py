"""A second real server, with passwords, for what logs in to it."""

from tests.warehouse.conftest import elsewhere

__all__ = ["elsewhere"]
