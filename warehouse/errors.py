"""The one kind of error that a user can fix."""

from collections.abc import Mapping

from warehouse.masking import masked


class UserError(Exception):
    """One line for a user: what is wrong, with which setting, and what to do about it.

    Commands print its text and end with status 2; a traceback would only bury the line.
    """

    def __init__(self, message: str) -> None:
        """Keep `message` on one line and without secrets, whatever was put into it."""
        super().__init__(" ".join(masked(message).split()))


class BadSetting(UserError):
    """The value of a setting is refused, before anything was done with it."""

    def __init__(self, variable: str, value: str, said: str) -> None:
        """Name the variable and its value, without one if it is empty; `said` says the rest."""
        super().__init__(f"{variable}={value}{said}" if value else f"{variable}{said}")
        self._variable, self._value, self._said = variable, value, said

    def given_by(self, options: Mapping[str, str]) -> UserError:
        """The same, naming the option that the value was given by; `options` are by variable."""
        option = options.get(self._variable)
        return UserError(f"{option} {self._value}{self._said}") if option else self


class AlreadyRunning(UserError):
    """Somebody else is at it in this warehouse, and two at once would spoil each other's work."""
