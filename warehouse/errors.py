"""The one kind of error that a user can fix, and what any error may say."""

from collections.abc import Mapping

from warehouse.masking import masked, quoted


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


def hide(failure: BaseException | None) -> None:
    """Mask what an exception and those behind it say, for who keeps or shows them.

    A `UserError` is left as it is: in our own words a password that is a word is no secret.
    """
    seen = set[int]()
    while failure is not None and id(failure) not in seen:
        seen.add(id(failure))
        if not isinstance(failure, UserError):
            failure.args = tuple(
                quoted(said) if isinstance(said, str) else said for said in failure.args
            )
        if isinstance(failure, OSError):  # which says what these hold, whatever its `args` are
            for name in ("strerror", "filename", "filename2"):
                if isinstance(said := getattr(failure, name), str):
                    setattr(failure, name, quoted(said))
        failure = failure.__cause__ or failure.__context__
