"""The one kind of error that is a user's to fix."""

from warehouse.masking import masked


class UserError(Exception):
    """One line for a user: what is wrong, with which setting, and what to do about it.

    Commands print its text and end with status 2; a traceback would only bury the line.
    """

    def __init__(self, message: str) -> None:
        """Keep `message` on one line and without secrets, whatever was put into it."""
        super().__init__(" ".join(masked(message).split()))


class AlreadyRunning(UserError):
    """Somebody else is at it in this warehouse, and two at once would spoil each other's work."""
