"""The `p2p` command. Exit status: 0 success, 1 a check failed, 2 wrong use or settings."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from warehouse.errors import UserError
from warehouse.settings import PROJECT_ROOT, Settings, load_settings

log = logging.getLogger(__name__)

app = typer.Typer(
    name="p2p",
    help="A data warehouse of the Binance P2P market: what currencies really cost, in SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

TRY_QUERY = (
    "select trading_pair, side, reference_price, n_offers from market_quotes"
    " order by n_offers desc limit 5"
)
rates = typer.Typer(no_args_is_help=True)
app.add_typer(rates, name="rates", help="Official rates of one's own.")

SUCCESS, CHECK_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

Codes = Annotated[str, typer.Option(help="Comma list; empty: as the settings say.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")]


def main() -> NoReturn:
    """Run the command; whatever goes wrong ends in one line, and in the log in full."""
    # Without any handler Python shows what is logged, tracebacks too, on standard error.
    logging.getLogger().addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name in a script that the terminal has not
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        _say("Interrupted.")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(SUCCESS)
    except Exception as error:
        if _is_interruption(error):
            _say("Interrupted.")
            sys.exit(INTERRUPTED)
        sys.exit(_failed(error))
    sys.exit(status if isinstance(status, int) else SUCCESS)


def _is_interruption(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is at the bottom of it: pydantic wraps one that falls into an import."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


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
    from flows.log import escape

    print(f"p2p: {escape(line)}", file=sys.stderr)


def _start(settings: Settings, *, verbose: bool = False, is_question: bool = False) -> None:
    """Set up the log, and Prefect before anything imports it."""
    from flows import log as logs
    from flows import prefect_home

    secrets = [
        secret.get_secret_value()
        for secret in (settings.database_url, settings.binance_api_key)
        if secret
    ]
    if settings.database_url:
        from warehouse.postgres import Warehouse

        secrets.append(Warehouse.from_url(secrets[0]).password)
    try:
        logs.configure(
            settings.log_format,
            settings.home / "logs",
            secrets,
            verbose=verbose,
            is_question=is_question,
        )
    except OSError as error:
        raise UserError(
            f"P2P_HOME={settings.home} cannot be used ({error.filename}: {error.strerror}): "
            "mend that, or set P2P_HOME to another folder."
        ) from None
    prefect_home.prepare(settings.home)


def _codes(text: str) -> list[str] | None:
    return [code.strip().upper() for code in text.split(",") if code.strip()] or None


@app.command()
def run(fiats: Codes = "", assets: Codes = "", verbose: Verbose = False) -> int:
    """Run one cycle: load, check, transform, check."""
    # Read once more as settings, so that a wrong code is refused as there.
    given = {"fiats": fiats, "assets": assets}
    settings = load_settings(**{name: codes for name, codes in given.items() if codes.strip()})
    _start(settings, verbose=verbose)
    from flows.console import CycleProgress, cell, out
    from flows.cycle import SURROUNDINGS, Surroundings
    from flows.elt import elt
    from flows.prefect_home import guard_server

    guard_server()
    with CycleProgress() as progress:
        SURROUNDINGS.set(
            Surroundings(settings=settings, on_progress=progress.loaded, on_step=progress.step)
        )
        outcome = elt()
    counts = outcome.counts
    out.print(
        f"Cycle {outcome.run_id}: {outcome.state} in {outcome.seconds:.0f} s. "
        f"{counts['books_read']} books read of {counts['books_planned']} planned, "
        f"{counts['books_complete']} complete, {counts['books_unchanged']} unchanged; "
        f"{counts['offers']:,} offers, {counts['requests']:,} requests."
    )
    if outcome.drift:
        out.print(cell(outcome.drift))
    return SUCCESS if outcome.is_success else INTERRUPTED


@app.command()
def demo(verbose: Verbose = False) -> int:
    """Three cycles over a simulated market, and a picture of the result."""
    from flows.demo import demo_settings, run_demo, start_over

    settings = demo_settings(load_settings())
    _start(settings, verbose=verbose)
    from flows.picture import show
    from warehouse.postgres import open_warehouse

    start_over(settings.home)
    # Held over all cycles and the picture, rather than started anew for each.
    with open_warehouse(settings) as warehouse:
        outcomes = run_demo(settings)
        home, p2p = _shown(settings.home), _shown(Path(sys.argv[0]).resolve())
        show(
            warehouse,
            outcomes,
            [
                f"export P2P_HOME={home}   # the demo has a warehouse of its own",
                f'{p2p} sql "{TRY_QUERY}"',
                f"{p2p} status",
                f"{p2p} docs",
                "unset P2P_HOME",
                f"{p2p} run --fiats VES,ARS --assets USDT   # the real market, no key needed",
            ],
        )
    return SUCCESS


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One query; marts, ops and staging are found.")],
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.")] = False,
) -> int:
    """Ask the warehouse; it may only read."""
    settings = load_settings()
    _start(settings, is_question=True)
    from flows.query import ask, write_csv
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        answer = ask(warehouse, query)
    if csv:
        write_csv(answer, sys.stdout)
    else:
        from flows.console import out, table

        out.print(table(None, answer.columns, answer.rows))
        out.print(f"{len(answer.rows):,} rows", style="dim")
    return SUCCESS


@app.command()
def status() -> int:
    """The last cycles, the age and completeness of each book, the age of official rates."""
    settings = load_settings()
    _start(settings, is_question=True)
    from flows.console import cell, out, table
    from flows.query import BOOKS, BREAKER, DRIFT, ERRORS, RATES, RUNS, ask
    from flows.summary import breaker_line, drift_line
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        present = ask(
            warehouse,
            "select to_regclass('ops.runs'), to_regclass('marts.fact_snapshots'),"
            " to_regclass('ops.drift'), to_regclass('marts.official_rates')",
        ).rows[0]
        if present[0] is None:
            raise UserError("Nothing has run yet: try `p2p run`, or `p2p demo`.")
        runs = ask(warehouse, RUNS)
        out.print(table("Cycles, the latest first", runs.columns, runs.rows))
        for breaker in ask(warehouse, BREAKER).rows:
            out.print(cell(breaker_line(*breaker)))
        if present[2] is not None and (drift := drift_line(ask(warehouse, DRIFT).rows)):
            out.print(cell(drift))
        for run_id, error in ask(warehouse, ERRORS).rows:
            out.print(cell(f"{run_id}: {error}"))
        if present[1] is not None:
            books = ask(warehouse, BOOKS)
            out.print(table("Books of the last day", books.columns, books.rows))
        if present[3] is not None and (official := ask(warehouse, RATES)).rows:
            out.print(table("Official rates", official.columns, official.rows))
    return SUCCESS


@app.command()
def report(
    pair: Annotated[str, typer.Option(help="One pair, VES/USDT; otherwise all of them.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where to; otherwise a page in P2P_HOME/docs.")
    ] = None,
) -> int:
    """Write one page of HTML with the prices, and how far to trust them, to look at."""
    settings = load_settings()
    _start(settings, is_question=True)
    from report.writing import write_report
    from warehouse.postgres import open_warehouse

    name = f"report-{pair.strip().upper().replace('/', '-')}" if pair else "report"
    file = out or settings.home / "docs" / f"{name}.html"
    with open_warehouse(settings) as warehouse:
        write_report(warehouse, pair, file)
    print(f"Report: {file}")
    return SUCCESS


@rates.command("import")
def import_rates(
    file: Annotated[
        Path, typer.Argument(help="CSV: date,fiat_code,rate_kind,rate[,bid,ask,source]")
    ],
) -> int:
    """Load one's own official rates from a CSV; the same file twice is as once."""
    settings = load_settings()
    _start(settings)
    from flows import ops
    from load.own_rates import import_rates as load_file
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        run_id = f"rates-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        imported = load_file(settings, warehouse, file, run_id)
        with ops.connected(warehouse) as connection:
            ops.admit(connection, imported.load_ids)
    print(f"{imported.rows:,} rates read, {imported.news:,} of them new.")
    if imported.news:
        print("The next `p2p run` takes them into the marts.")
    return SUCCESS


@app.command()
def exchange(
    port: Annotated[int, typer.Option(help="Port on loopback; 0: a free one.")] = 0,
    replay: Annotated[
        list[Path] | None, typer.Option(help="Serve recorded books instead; may be repeated.")
    ] = None,
    faults: Annotated[str, typer.Option(help="Rates of faults, `429=0.1,cut=0.02`.")] = "",
    seed: Annotated[int, typer.Option(help="What the market's chance derives from.")] = 1,
    fiats: Codes = "",
    assets: Codes = "",
) -> int:
    """Serve the simulated exchange, official rates and spot prices until it is stopped."""
    from simulator.faults import Faults
    from simulator.market import Market
    from simulator.replay import Replay
    from simulator.server import serve

    def addresses(url: str) -> str:
        names = ("P2P_API_URL", "P2P_RATES_URL", "P2P_SPOT_URL")
        return "\n".join(f"{name}={url}" for name in names)

    try:
        source = (
            Replay(replay)
            if replay
            else Market(seed, _codes(fiats), _codes(assets), datetime.now(UTC))
        )
        injected = Faults.parse(faults, seed) if faults else None
        serve(source, injected, port, lambda ready: print(addresses(ready.url), flush=True))
    except (ValueError, OSError) as error:
        raise UserError(f"The simulated exchange cannot start: {error}") from error
    return SUCCESS


@app.command()
def docs() -> int:
    """Build dbt's documentation as one page, and say where it and the checks' pages are."""
    settings = load_settings()
    _start(settings)
    import shutil

    from flows.transform import run_dbt
    from warehouse.postgres import open_warehouse

    home = settings.home / "dbt-docs"
    with open_warehouse(settings) as warehouse:
        report = run_dbt(warehouse, ["docs", "generate", "--static"], home)
    if not report.is_success:
        raise UserError(f"dbt could not build its docs: {report.failures[0].message}")
    folder = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    shutil.copyfile(home / "target" / "static_index.html", page)
    print(f"Models and columns: {page}")
    checks = folder / "checks" / "index.html"
    print(f"Checks: {checks if checks.exists() else 'none yet, a cycle writes them'}")
    return SUCCESS


def _shown(path: Path) -> str:
    """A path as one would type it in the project."""
    inside = path.is_relative_to(PROJECT_ROOT)
    return str(path.relative_to(PROJECT_ROOT)) if inside else str(path)
