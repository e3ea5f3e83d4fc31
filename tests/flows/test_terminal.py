"""Whatever is printed or logged is shown as text and obeyed by nobody: place by place."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from cli import console
from cli.query import BREAKER, Answer, ask, write_csv
from flows.transform import run_dbt
from load.report import Progress
from load.text import OBEYED
from ops.migrations import migrate
from ops.record import note, open_run
from ops.summary import breaker_line, drift_line
from tests.hostile import TEXTS
from warehouse.log import configure
from warehouse.postgres import Warehouse


def is_harmless(shown: str) -> bool:
    """Whether a terminal shows it as it stands: no controls, no marks that reorder, no marks."""
    return all(character.isprintable() or character == "\n" for character in shown)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written where `p2p` writes, without rich's own colours."""
    shown = io.StringIO()
    for name in ("out", "err"):
        monkeypatch.setattr(console, name, Console(file=shown, width=200, highlight=False))
    return shown


@pytest.mark.parametrize("text", TEXTS)
def test_a_table_shows_text_names_and_values_inside_of_others(
    screen: io.StringIO, text: str
) -> None:
    rows = [[text, [text], {text: text}, text.encode(errors="surrogatepass"), (1, text)]]
    console.out.print(console.table("title", [f"a{text}", "b", "c", "d", "e"], rows))
    console.out.print(console.answer([f"a{text}", "b", "c", "d", "e"], rows, 12))
    assert is_harmless(screen.getvalue())
    if text == "[red]markup[/red]":
        assert screen.getvalue().count("[red]markup[/red]") == 7 + 6


def test_an_answer_that_is_too_wide_for_a_table_has_a_line_a_value(screen: io.StringIO) -> None:
    names = [f"a_column_of_a_mart_{number}" for number in range(30)]
    rows = [[f"value {row}.{number}" for number in range(30)] for row in range(2)]
    console.out.print(console.answer(names, rows, 80))
    lines = [line.split(maxsplit=1) for line in screen.getvalue().splitlines() if line.strip()]
    assert [["a_column_of_a_mart_29", "value 1.29"]] == [
        [name, said.strip()] for name, said in lines if "1.29" in said
    ]
    console.out.print(console.answer(names[:3], [row[:3] for row in rows], 80))
    assert " ".join(screen.getvalue().splitlines()[-2].split()) == "value 1.0 value 1.1 value 1.2"


@pytest.mark.parametrize("text", TEXTS)
def test_csv_holds_nothing_that_a_terminal_obeys_and_other_text_as_it_stands(text: str) -> None:
    answer = Answer([text], [[text], [[text]]])
    terminal, file = Terminal(), io.StringIO()
    write_csv(answer, terminal)
    write_csv(answer, file)
    assert is_harmless(terminal.getvalue())
    assert not re.search(OBEYED, file.getvalue())
    if text and not re.search(OBEYED, text):
        assert text.replace('"', '""') in file.getvalue()


@pytest.mark.parametrize("text", TEXTS)
def test_the_line_of_progress_takes_nothing_for_markup_or_a_command(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    shown = Console(file=io.StringIO(), width=30_000, highlight=False)
    monkeypatch.setattr(console, "err", shown)
    progress = console.CycleProgress()
    progress.loaded(Progress(1, 2, 3, 4, text))
    shown.print(progress._bar.get_renderable())
    (drawn,) = [shown.file.getvalue()]  # type: ignore[attr-defined]
    assert is_harmless(drawn)
    if text == "[red]markup[/red]":
        assert text in drawn


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log_holds_one_line_an_event_whatever_is_in_it(
    tmp_path: Path,
    log_format: str,
    capsys: pytest.CaptureFixture[str],
    quiet_root: Callable[[], None],
) -> None:
    configure(log_format, tmp_path, verbose=True)
    logger = logging.getLogger("load.hostile")
    for text in TEXTS:
        logger.warning("an event", extra={"said": text, "list": [text], text or "empty": 1})
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception(text)
    for logged in (capsys.readouterr().err, (tmp_path / "p2p.log").read_text(encoding="utf-8")):
        lines = logged.split("\n")[:-1]
        assert len(lines) == 2 * len(TEXTS)
        assert all(line.isprintable() for line in lines)
        if log_format == "json":
            assert [json.loads(line)["said"] for line in lines[::2]] == TEXTS


@pytest.fixture
def quiet_root() -> Iterator[None]:
    """The root logger as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


def test_of_much_drift_one_line_tells_the_first_and_how_much_more() -> None:
    assert drift_line([]) is None
    assert drift_line([("gone_key", "adv.price", "was text", None, 3)]) == (
        "The exchange's answers drift: adv.price is gone (was text); and 2 more, see ops.drift."
    )


def test_what_the_exchange_thought_of_our_pace_is_told() -> None:
    calm = "The breaker before the exchange was closed at the end of the last one."
    assert breaker_line("closed", 0, 0, 0.0, 2.0) == calm
    assert breaker_line("open", 3, 2, 45.2, 0.5) == (
        "The breaker before the exchange was open at the end of the last one. It opened 2 times."
        " Too fast, said the exchange 3 times: nothing went out for 45 s, and the pace at the end"
        " was 0.5 a second."
    )


def test_a_warehouse_of_an_earlier_version_tells_its_breaker_too(warehouse: Warehouse) -> None:
    with warehouse.connect(autocommit=True) as connection:
        migrate(connection)
        open_run(connection, "r", datetime.now(UTC))
        note(connection, "r", {"breaker_state": "open", "throttled": 1, "breaker_opened": 2})
        assert ask(warehouse, BREAKER).rows == [("open", 1, 2, 0.0, None)]
        connection.execute("alter table ops.runs drop breaker_opened, drop requests_per_second")
        connection.execute("alter table ops.runs drop blocked_seconds")
        connection.execute("drop table ops.migrations")
        assert ask(warehouse, BREAKER).rows == [("open", 1, 0, 0.0, None)]
        migrate(connection)
        note(connection, "r", {"breaker_opened": 3, "blocked_seconds": 4.0})
        assert ask(warehouse, BREAKER).rows == [("open", 1, 3, 4.0, None)]


def test_json_is_answered_as_it_landed_however_deep(warehouse: Warehouse) -> None:
    deep = "[" * 1_000 + "1e400" + "]" * 1_000
    answer = ask(warehouse, "select %s::text::json as a, '{\"b\": null}'::jsonb as b", [deep])
    assert answer.rows == [(deep, '{"b": null}')]


def test_what_dbt_quotes_when_it_fails_is_neither_printed_nor_logged_raw(
    warehouse: Warehouse, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    query = "select cast('\x1b[2J\u202eabc' as integer) as a"
    report = run_dbt(warehouse, ["show", "--inline", query], tmp_path)
    assert "abc" in report.failures[0].message
    assert capfd.readouterr() == ("", "")
    logged = (tmp_path / "logs" / "dbt.log").read_text()
    assert "abc" in logged
    assert is_harmless(logged)


def test_the_servers_own_log_quotes_nobody(warehouse: Warehouse) -> None:
    with warehouse.connect() as connection:
        with pytest.raises(Exception, match="invalid input"):
            connection.execute("select cast('\x1b[2J\u202eabc' as integer)")
        connection.rollback()
        (logged,) = connection.execute(
            "select convert_from(pg_read_binary_file('server.log'), 'UTF8')"
        ).fetchone() or ("",)
    assert "LOG" in logged
    assert is_harmless(logged)
