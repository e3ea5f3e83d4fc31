"""The command as a user meets it, on an embedded warehouse of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from simulator.replay import Replay
from simulator.server import Exchange
from tests.conftest import PROJECT
from tests.flows.conftest import (
    PATIENCE,
    START,
    command,
    files_with,
    only_line,
    overheard,
    settings_at,
    telling_nobody,
)
from tests.flows.recordings import DOUBLED, recorded_frames, write_recordings
from tests.flows.test_refusals import KEY, PASSWORD
from warehouse.embedded import erase
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import load_settings

ODD = "a b%20c'd"
Done = subprocess.CompletedProcess[str]


@dataclass
class Commanded:
    """A home in which `p2p run` ran once; it and the checkout have names that need quoting."""

    project: Path
    home: Path
    warehouse: Warehouse
    environment: dict[str, str]
    overheard: Path
    before: Done
    run: Done

    def p2p(self, *arguments: str) -> Done:
        return call(command(*arguments), self.environment, self.project)

    def dbt(self, *arguments: str) -> Done:
        program = "from dbt.cli.main import cli; cli()"
        return call([sys.executable, "-c", program, *arguments], self.environment, self.project)


def call(line: list[str], environment: dict[str, str], project: Path) -> Done:
    return subprocess.run(
        line,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


@pytest.fixture(scope="module")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    folder = tmp_path_factory.mktemp("commanded")
    project, home = folder / ODD / "project", folder / ODD / "home"
    skipped = shutil.ignore_patterns(".*", "target", "logs", "*.egg-info", "__pycache__")
    shutil.copytree(PROJECT, project, ignore=skipped)
    frame = recorded_frames()[0]
    frame[("ARS", "USDT", "BUY")] = frame[DOUBLED]
    with (
        open_warehouse(load_settings(home=home, database_url=None)) as warehouse,
        Exchange(Replay(write_recordings(folder, [frame], int(START.timestamp())))) as exchange,
    ):
        ours = ("P2P_", "PREFECT_", "DATABASE_URL", "BINANCE_API_KEY", "EXTRACTION_INTERVAL")
        outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment = {
            **(heard := overheard(folder / "overheard", outside)),
            "PYTHONPATH": os.pathsep.join([str(project), heard["PYTHONPATH"]]),
            **settings_at(home, exchange),
            # Of which nothing on this machine is to take notice.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy"), "http://127.0.0.1:9"),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            "BINANCE_API_KEY": KEY,
            # Where `dbt` alone would write into the project.
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
        }
        before = call(command("status"), environment, project)
        # The embedded server takes any password, and the command is to hide it all the same.
        url = replace(warehouse, password=PASSWORD).url
        run = call(
            command("run", "--fiats", "VES", "--assets", "USDT"),
            {**environment, "DATABASE_URL": url, "P2P_LOG_FORMAT": "json"},
            project,
        )
        yield Commanded(project, home, warehouse, environment, folder / "overheard", before, run)
    erase(home)


def test_status_before_the_first_cycle_says_what_to_do(commanded: Commanded) -> None:
    assert commanded.before.returncode == 2
    assert commanded.before.stderr.splitlines() == [
        "p2p: Nothing has run yet: try `p2p run`, or `p2p demo`."
    ]


def test_a_run_reads_what_it_is_limited_to_and_says_so(commanded: Commanded) -> None:
    assert commanded.run.returncode == 0, commanded.run.stderr
    said = " ".join(commanded.run.stdout.split())
    assert said.startswith("Cycle ")
    assert "success" in said
    assert "2 books read of 2 planned, 2 complete" in said
    done = commanded.p2p("sql", "select distinct trading_pair from fact_snapshots", "--csv")
    assert done.stdout == "trading_pair\nVES/USDT\n"


def test_with_the_setting_each_event_is_one_json_object(commanded: Commanded) -> None:
    events = [json.loads(line) for line in commanded.run.stderr.splitlines()]
    said = "\n".join(event["event"] for event in events)
    for event in ("cycle planned: ", "batch landed: ", "load ended in ", "transform ended in "):
        assert event in said
    # Commands without the setting write to the same file, in lines of their own.
    log = (commanded.home / "logs" / "p2p.log").read_text()
    logged = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [event["event"] for event in logged] == [event["event"] for event in events]


def test_no_library_tells_its_makers_anything(commanded: Commanded) -> None:
    run = telling_nobody(commanded.overheard, "import main; main() run")
    assert run == {"dlt", "dbt", "great_expectations"}


def test_what_is_written_is_closed_to_others_but_for_what_is_asked_for(
    commanded: Commanded, tmp_path: Path
) -> None:
    opened = [
        path
        for path in [commanded.home, *commanded.home.rglob("*")]
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert opened == []
    out = tmp_path / "quotes.csv"
    assert (
        commanded.p2p("export", "market_quotes", "--format", "csv", "--out", str(out)).stderr == ""
    )
    (tmp_path / "other").touch()
    assert out.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_no_secret_is_anywhere_below_the_home_nor_said(commanded: Commanded) -> None:
    files = [path for path in commanded.home.rglob("*") if path.is_file()]
    folders = {path.relative_to(commanded.home).parts[0] for path in files}
    assert {"dbt", "dlt", "docs", "logs"} <= folders
    assert files_with(commanded.home, (KEY, PASSWORD)) == []
    for secret in (KEY, PASSWORD):
        assert secret not in commanded.run.stdout + commanded.run.stderr


def test_status_shows_the_cycle_and_the_books(commanded: Commanded) -> None:
    done = commanded.p2p("status")
    assert done.returncode == 0
    assert "success" in done.stdout
    assert done.stdout.count("VES/USDT") == 2
    assert done.stderr == ""


def test_sql_as_csv_has_a_header_and_leaves_nulls_empty(commanded: Commanded) -> None:
    done = commanded.p2p(
        "sql", "select null as nothing, 'a,\"b\"' as quoted, 1.50 as number, '' as empty", "--csv"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["nothing", "quoted", "number", "empty"],
        ["", 'a,"b"', "1.50", ""],
    ]


def test_nothing_that_an_advertiser_wrote_reaches_the_terminal_as_a_command(
    commanded: Commanded,
) -> None:
    done = commanded.p2p(
        "sql", "select nickname from dim_advertisers where nickname like '%red%' limit 1"
    )
    assert done.returncode == 0
    assert r"\x1b[31mred\x1b[0m\u202eeulb" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ops.quarantined_loads (load_id, reason) values ('1', 'x')",
        "create table public.mine (a int)",
        "selec 1",
    ],
)
def test_sql_only_reads_and_refuses_the_rest_in_one_line(
    commanded: Commanded, statement: str
) -> None:
    done = commanded.p2p("sql", statement)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("p2p: The query failed: ")
    with commanded.warehouse.connect() as connection:
        row = connection.execute(
            "select to_regclass('public.mine'), (select count(*) from ops.quarantined_loads)"
        ).fetchone()
    assert row == (None, 0)


def test_sql_takes_one_statement(commanded: Commanded) -> None:
    done = commanded.p2p("sql", "commit; create table public.mine (a int)")
    assert done.returncode == 2
    assert "several statements" in only_line(done)
    with commanded.warehouse.connect() as connection:
        assert connection.execute("select to_regclass('public.mine')").fetchone() == (None,)


def test_a_typo_in_an_option_names_the_option_and_leaves_nothing_to_repair(
    commanded: Commanded,
) -> None:
    for arguments, said in (
        (("--fiats", "V S"), "--fiats V S is not understood: "),
        (("--fiats", "VEZ"), "--fiats VEZ: the exchange lists none of these."),
        (
            ("--fiats", "VES", "--assets", "USDX"),
            "--assets USDX: the exchange trades none of these for VES.",
        ),
    ):
        done = commanded.p2p("run", *arguments)
        assert done.returncode == 2
        assert only_line(done).startswith(f"p2p: {said}")
    (last,) = [line for line in commanded.p2p("doctor").stdout.splitlines() if "last cycle" in line]
    assert last.startswith("fine")


def test_docs_writes_both_pages_and_says_where(commanded: Commanded) -> None:
    done = commanded.p2p("docs")
    assert done.returncode == 0, done.stderr
    pages = [Path(line.partition(": ")[2]) for line in done.stdout.splitlines()]
    assert [page.relative_to(commanded.home).as_posix() for page in pages] == [
        "docs/index.html",
        "docs/checks/index.html",
    ]
    assert "fact_offers" in pages[0].read_text()
    assert "landing" in pages[1].read_text()


def test_report_writes_a_page_where_it_is_told_and_says_where(
    commanded: Commanded, tmp_path: Path
) -> None:
    done = commanded.p2p("report", "--pair", "ves/usdt")
    assert (done.returncode, done.stderr) == (0, "")
    page = Path(done.stdout.removeprefix("Report: ").rstrip("\n"))
    assert page == commanded.home / "docs" / "report-VES-USDT.html"
    assert "VES/USDT on the P2P market" in page.read_text()
    out = tmp_path / "new" / "market.html"
    assert commanded.p2p("report", "--out", str(out)).stdout == f"Report: {out}\n"
    refused = commanded.p2p("report", "--pair", "VES/XXX")
    assert refused.returncode == 2
    assert "holds no reading of VES/XXX" in only_line(refused)


def test_report_writes_a_folder_with_a_page_for_each_pair(
    commanded: Commanded, tmp_path: Path
) -> None:
    done = commanded.p2p("report", "--all", "--out", str(tmp_path / "pages"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Report: {tmp_path / 'pages' / 'index.html'}\n"
    written = {path.name for path in (tmp_path / "pages").iterdir()}
    assert written >= {"index.html", "report.js", "VES-USDT.html"}


def test_dbt_builds_and_judges_freshness_without_any_flag(commanded: Commanded) -> None:
    built = commanded.dbt("build")
    assert built.returncode == 0, built.stdout
    assert "ERROR=0" in built.stdout
    assert telling_nobody(commanded.overheard, "dbt.cli.main") == {"dbt"}
    judged = commanded.dbt("source", "freshness")
    assert judged.returncode == 0, judged.stdout
    for source in ("binance_p2p.snapshots", "binance_spot.spot_prices", "rates.official_rates"):
        assert f"PASS freshness of {source}" in judged.stdout


def test_ones_own_rates_are_imported_once_and_taken_in_by_the_next_transform(
    commanded: Commanded, tmp_path: Path
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("date,fiat_code,rate_kind,rate\n2026-01-02,VES,own,1O\n")
    refused = commanded.p2p("rates", "import", str(file))
    assert refused.returncode == 2
    assert "own.csv line 2: rate '1O' is no number" in only_line(refused)
    file.write_text("date,fiat_code,rate_kind,rate\n2026-01-02,VES,own,10\n")
    told = [commanded.p2p("rates", "import", str(file)).stdout for _ in range(2)]
    assert told[0].startswith("1 rate read, 1 of them new.")
    assert told[1] == "1 rate read, 0 of them new.\n"
    with commanded.warehouse.connect() as connection:
        admitted = connection.execute(
            "select count(*) from staging.stg_rates__official_rates where rate_kind = 'own'"
        ).fetchone()
    assert admitted == (1,)


def test_init_makes_the_roles_and_asks_for_no_password_where_none_is_wanted(
    commanded: Commanded,
) -> None:
    first, again = commanded.p2p("init"), commanded.p2p("init")
    said = " ".join(first.stdout.split())
    assert "Roles created: loader, transformer, analyst." in said
    assert "The embedded server asks for no password" in said
    assert "\\password" not in said
    assert again.stdout.endswith("Roles created: none, they exist.\n")
    told = commanded.p2p("doctor").stdout
    assert ", embedded, " in told
    assert "p2p may write" in told


def test_connect_keeps_a_port_open_for_the_analyst_until_it_is_stopped(
    commanded: Commanded,
) -> None:
    commanded.p2p("init")
    process = subprocess.Popen(
        command("connect"),
        cwd=commanded.project,
        env=commanded.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split('"')[1]
    with psycopg.connect(url) as connection:
        found = connection.execute("select current_user from market_now limit 1").fetchone()
    assert found == ("analyst",)
    process.terminate()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--what"],
        ["what"],
        ["sql"],
        ["rates"],
        ["exchange", "--faults", "nope=1"],
        ["docs", "--serve", "--port", "99999"],
        [],
    ],
)
def test_wrong_use_is_status_2(commanded: Commanded, arguments: list[str]) -> None:
    done = commanded.p2p(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Usage" in done.stdout + done.stderr or done.stderr.startswith("p2p: ")
