"""What a verdict says, and what neither a verdict nor the data docs may ever show."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path

import pytest

from expectations.checkpoint import run_suite
from expectations.data_docs import KEPT_PAGES
from expectations.profiles import Parameters, literal
from expectations.suites import CHECKS, PROFILES, checks_of
from expectations.verdict import plain
from tests.expectations.conftest import Line
from warehouse.postgres import Warehouse

ATTACK = "<img src=x onerror=alert(1)>"
PASSWORD = "pa$$w:o/r#d'%40"


def written(docs: Path) -> str:
    """Every file of the data docs, in one text."""
    return "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(docs.rglob("*")) if path.is_file()
    )


def test_names_of_checks_are_unique_and_their_profiles_exist() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert {check.profile for check in CHECKS} == set(PROFILES)
    assert {check.suite for check in CHECKS} == {"landing", "core"}


def test_a_warning_does_not_stop_the_line(line: Line) -> None:
    line.execute("delete from staging.snapshots where fiat_code = 'VES' and side = 'SELL'")

    verdict = line.run("landing")

    assert verdict.critical_failed == ()
    assert [result.name for result in verdict.warnings] == ["both_sides_are_present"]
    assert [result.name for result in verdict.results] == [c.name for c in checks_of("landing")]


def test_a_critical_failure_is_told_with_the_book_and_the_number(line: Line) -> None:
    line.execute("delete from marts.fact_offers where adv_no in ('VESBUY1', 'VESSELL1')")

    (failed,) = line.run("core").critical_failed

    assert failed.suite == "core"
    assert failed.table == "marts.fact_offers"
    assert failed.severity == "critical"
    assert failed.observed == "2 of 8 fail: VES/USDT BUY -1, VES/USDT SELL -1"


def test_a_server_that_does_not_answer_fails_every_check(tmp_path: Path) -> None:
    nowhere = Warehouse("127.0.0.1", 1, "somebody", PASSWORD, "p2p", "prefer")

    verdict = run_suite("landing", nowhere, Parameters("run-1"), tmp_path)

    assert {result.observed for result in verdict.results} == {"could not be run: OperationalError"}
    assert len(verdict.critical_failed) + len(verdict.warnings) == len(checks_of("landing"))
    assert "could not be run: OperationalError" in written(tmp_path)
    assert PASSWORD not in written(tmp_path)


def test_an_expectation_that_raises_is_a_failed_check_and_the_others_stand(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dataclasses.replace(
        checks_of("core")[1], arguments={"column": "no_such_column", "max_value": 0}
    )
    monkeypatch.setattr(
        "expectations.checkpoint.checks_of", lambda suite: (broken, *checks_of(suite)[2:])
    )

    verdict = line.run("core")

    (failed,) = verdict.critical_failed
    assert failed.name == broken.name
    assert re.fullmatch(r"could not be run: \w+(Error|Exception)", failed.observed)
    assert "no_such_column" not in failed.observed


def test_docs_that_cannot_be_written_change_no_verdict(line: Line, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")

    verdict = run_suite("landing", line.warehouse, Parameters("run-4"), blocked / "docs")

    assert verdict.critical_failed == ()
    assert verdict.docs is None


def test_without_a_folder_nothing_is_written(line: Line) -> None:
    verdict = run_suite("core", line.warehouse, Parameters("run-4"), None)

    assert verdict.docs is None
    assert verdict.critical_failed == ()


def test_a_text_of_the_exchange_reaches_neither_verdict_nor_docs(line: Line) -> None:
    line.execute(
        "update staging.pages set body = cast(replace(replace(cast(body as text),"
        " '\"somebody\"', %s), '\"10.00\"', %s) as json) where run_id = 'run-4'",
        f'"{ATTACK}"',
        f'"{ATTACK}"',
    )
    for table in ("pages", "snapshots"):
        line.execute(
            f"update staging.{table} set fiat_code = %s, side = %s where fiat_code = 'VES'",
            ATTACK,
            ATTACK,
        )
    line.execute(
        "update staging.snapshots set incomplete_reason = %s,"
        " offers_distinct = case when fiat_code = %s and run_id = 'run-4' then 160"
        " else offers_distinct end",
        ATTACK,
        ATTACK,
    )

    verdict = line.run("landing")

    failed = {result.name: result.observed for result in verdict.warnings}
    assert "prices_are_positive_numbers" in failed
    assert re.search(r": book [0-9a-f]{8} 10", failed["books_keep_their_size"])
    shown = written(line.docs) + repr(verdict)
    assert "book " in shown
    assert "onerror" not in shown
    assert "alert(" not in shown


def test_an_error_that_quotes_the_data_reaches_neither_verdict_nor_docs(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.execute(
        "update staging.pages set body = cast(%s as json) where run_id = 'run-4'",
        f'{{"data": [{{"nickName": "\\u0000{ATTACK}"}}]}}',
    )

    with caplog.at_level(logging.INFO):
        verdict = line.run("landing")

    assert {result.observed for result in verdict.results} == {
        "could not be run: UntranslatableCharacter"
    }
    shown = written(line.docs) + repr(verdict) + caplog.text
    assert "onerror" not in shown


@pytest.mark.parametrize("value", [ATTACK, "ein Name", "名前", "x" * 65, "a\nb", "a;b", object()])
def test_the_last_guard_lets_only_numbers_and_codes_through(value: object) -> None:
    assert plain(value) in ("(text)", "(value)", "ein Name")
    assert [plain(one) for one in (3, 0.25, None, "VES/USDT BUY")] == [
        "3",
        "0.25",
        "none",
        "VES/USDT BUY",
    ]


def test_the_password_is_in_no_page_and_no_log(
    line: Line, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    warehouse = dataclasses.replace(line.warehouse, password=PASSWORD)

    with caplog.at_level(logging.DEBUG):
        passed = run_suite("landing", warehouse, Parameters("run-4"), line.docs)
        line.execute("drop schema marts cascade")
        failed = run_suite("core", warehouse, Parameters("run-4"), line.docs)

    assert passed.critical_failed == ()
    assert failed.critical_failed
    output = capfd.readouterr()
    shown = written(line.docs) + caplog.text + output.out + output.err + repr((passed, failed))
    assert "pa$$w" not in shown
    assert output.out + output.err == ""


def test_the_pages_load_nothing_from_anywhere_and_run_nothing(line: Line) -> None:
    line.run("landing")
    line.run("core")

    pages = sorted(line.docs.rglob("*.html"))
    assert [str(page.relative_to(line.docs)) for page in pages] == [
        "core/run-4.html",
        "index.html",
        "landing/run-4.html",
    ]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert not re.search(r"(?:src|data)\s*=\s*['\"]?(?:https?:)?//", text)
        assert re.findall(r"<link[^>]*>", text) == ['<link rel="icon" href="data:,">']
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//", text)
        assert "default-src 'none'" in text
        for link in re.findall(r'href="([^"#:]+)"', text):
            assert (page.parent / link).is_file()
    assert "books_keep_their_size" in pages[2].read_text(encoding="utf-8")
    assert 'href="landing/run-4.html"' in pages[1].read_text(encoding="utf-8")


def test_a_page_and_the_index_say_how_a_run_ended_and_whether_its_data_are_simulated(
    line: Line,
) -> None:
    line.run("landing")
    line.execute("drop schema marts cascade")
    run_suite("core", line.warehouse, Parameters("run-4", is_simulated=True), line.docs)

    landing = (line.docs / "landing" / "run-4.html").read_text(encoding="utf-8")
    core = (line.docs / "core" / "run-4.html").read_text(encoding="utf-8")
    index = (line.docs / "index.html").read_text(encoding="utf-8")
    assert "<title>Checks of landing, cycle run-4: passed</title>" in landing
    assert "<title>Checks of core, cycle run-4: failed</title>" in core
    assert '<a href="core/run-4.html">run-4</a> <span class="failed">failed</span>' in index
    assert '<a href="landing/run-4.html">run-4</a> <span class="passed">passed</span>' in index
    assert [page.count("Simulated data") for page in (landing, core, index)] == [0, 1, 1]


def test_old_pages_make_room_for_new_ones(line: Line) -> None:
    folder = line.docs / "landing"
    folder.mkdir(parents=True)
    for number in range(KEPT_PAGES + 5):
        (folder / f"old-{number}.html").write_text("")

    line.run("landing")

    assert len(list(folder.glob("*.html"))) == KEPT_PAGES
    assert (folder / "run-4.html").is_file()


def test_a_run_whose_name_looks_like_a_time_has_its_page(line: Line) -> None:
    verdict = run_suite("core", line.warehouse, Parameters("20261120T172939-3521"), line.docs)

    assert verdict.docs is not None
    assert verdict.docs.is_file()


def test_a_literal_holds_no_character_that_anything_on_its_way_could_read() -> None:
    assert literal("run-4") == "('run-4')"
    assert literal("a'b:c") == "('a' || chr(39) || 'b' || chr(58) || 'c')"
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")
