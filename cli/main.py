"""The `p2p` command. Exit status: 0 success, 1 a check failed, 2 wrong use or settings."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cli.commands.connect import connect
from cli.commands.demo import demo
from cli.commands.docs import docs
from cli.commands.doctor import doctor
from cli.commands.exchange import exchange
from cli.commands.export import export
from cli.commands.forecast import forecast
from cli.commands.init import init
from cli.commands.maintain import maintain
from cli.commands.metrics import metrics
from cli.commands.rates import import_rates
from cli.commands.rebuild import rebuild
from cli.commands.report import report
from cli.commands.run import run
from cli.commands.serve import serve
from cli.commands.sql import sql
from cli.commands.status import status
from flows.starting import CHECK_FAILED, INTERRUPTED, SUCCESS, WRONG_USE
from warehouse.errors import UserError
from warehouse.settings import project_version

log = logging.getLogger(__name__)


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader that has seen enough, such as `head`, is no failure."""
        try:
            given = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SUCCESS
        return given


app = typer.Typer(
    name="p2p",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        print(f"p2p {project_version()}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """A data warehouse of the Binance P2P market: what currencies really cost, in SQL."""


for command in (
    run,
    serve,
    metrics,
    demo,
    sql,
    connect,
    status,
    doctor,
    report,
    export,
    exchange,
    docs,
    init,
    maintain,
    forecast,
    rebuild,
):
    app.command()(command)

rates = typer.Typer(no_args_is_help=True)
rates.command("import")(import_rates)
app.add_typer(rates, name="rates", help="Import your own official rates.")


def main() -> NoReturn:
    """Run the command; whatever goes wrong ends in one line, and in the log in full."""
    # Without any handler Python shows what is logged, tracebacks too, on standard error.
    logging.getLogger().addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name in a script that the terminal has not
            stream.reconfigure(errors="backslashreplace")
    if sys.flags.optimize > 1:
        _say(
            "PYTHONOPTIMIZE=2 (python -OO) takes away docstrings, without which Great Expectations "
            "does not start: unset it, or set it to 1."
        )
        sys.exit(WRONG_USE)
    try:
        given = app(prog_name="p2p", standalone_mode=False)
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        _say("Interrupted.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if _is_interruption(error):
            _say("Interrupted.")
            sys.exit(INTERRUPTED)
        sys.exit(_failed(error))
    sys.exit(given if isinstance(given, int) else SUCCESS)


def _is_interruption(error: BaseException) -> bool:
    """Whether a Ctrl-C is at the bottom of it: pydantic wraps one that falls into an import."""
    from warehouse.trouble import chain_of

    return any(isinstance(one, KeyboardInterrupt) for one in chain_of(error))


def _failed(error: Exception) -> int:
    # Typer's own errors of usage; which class that is depends on the click that it comes with.
    if callable(show := getattr(error, "show", None)):
        show()
        return WRONG_USE
    if isinstance(error, UserError):
        from flows.cycle import CheckFailed

        # Below what a terminal shows: there the one line is enough.
        log.info("command refused", exc_info=error)
        _say(str(error))
        return CHECK_FAILED if isinstance(error, CheckFailed) else WRONG_USE
    log.error("unexpected failure", exc_info=error)
    kind = type(error).__name__
    _say(f"Something unexpected went wrong ({kind}); the log in P2P_HOME/logs/p2p.log has it.")
    return CHECK_FAILED


def _say(line: str) -> None:
    from warehouse.log import escape

    print(f"p2p: {escape(line)}", file=sys.stderr)
