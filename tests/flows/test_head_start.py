"""What a process does while it waits for Prefect's own server."""

from __future__ import annotations

import pytest

from flows import head_start
from flows.cycle import dbt_home
from flows.transform import run_dbt
from warehouse.postgres import open_warehouse
from warehouse.settings import Settings


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_start, "begin_server", lambda home: lambda: None)


def test_in_a_new_home_the_project_is_parsed_as_the_cycle_will_want_it(settings: Settings) -> None:
    head_start.take_head_start(settings)

    home = dbt_home(settings)
    parsed = (home / "target" / "partial_parse.msgpack").stat().st_mtime_ns
    with open_warehouse(settings) as warehouse:
        report = run_dbt(warehouse, ["compile", "--select", "dim_days"], home, tested="new")
    assert report.is_success
    log = (home / "logs" / "dbt.log").read_text()
    assert log.count("Unable to do partial parsing") == 1, "of the head start itself"

    head_start.take_head_start(settings)
    assert (home / "target" / "partial_parse.msgpack").stat().st_mtime_ns == parsed


def test_who_interrupts_it_is_heard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dbt.parser.manifest.ManifestLoader.get_full_manifest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        head_start.take_head_start(settings)
