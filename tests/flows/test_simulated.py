"""One warehouse holds real readings or simulated ones, knows which, and never both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.wire import Handler
from tests.flows.conftest import House, Story, moment, only_line, p2p, settings_of


@pytest.fixture
def simulated(house: House, story: Story) -> Iterator[House]:
    """A warehouse with one cycle from a simulated exchange."""
    house.go_back_to("first")
    house.exchange.source = story.at(1)
    yield house
    house.empty()


def landed(house: House) -> int:
    ((count,),) = house.rows("select count(*) from staging.snapshots")
    assert isinstance(count, int)
    return count


def without_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the exchange answer as the real one does."""
    send = Handler.send_header

    def send_others(handler: Handler, name: str, value: str) -> None:
        if name != "X-P2P-Simulated":
            send(handler, name, value)

    monkeypatch.setattr(Handler, "send_header", send_others)


def test_a_run_against_the_real_exchange_is_refused_where_simulated_readings_are(
    simulated: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = landed(simulated)
    without_the_header(monkeypatch)
    done = p2p("run", **settings_of(simulated))
    assert done.returncode == 2
    assert only_line(done) == (
        f"p2p: P2P_API_URL={simulated.exchange.url} is a real exchange, and this warehouse holds "
        "simulated readings: set P2P_HOME (or DATABASE_URL) to another warehouse, or P2P_API_URL "
        "to the exchange that these came from."
    )
    assert landed(simulated) == before
    assert simulated.rows("select is_simulated from ops.runs order by started_at") == [
        (True,),
        (None,),
    ]


def test_a_run_against_a_simulated_exchange_is_refused_where_real_readings_are(
    simulated: House,
) -> None:
    before = landed(simulated)
    simulated.rows("update ops.runs set is_simulated = false returning 1")
    done = p2p("run", **settings_of(simulated))
    assert done.returncode == 2
    assert "is a simulated exchange, and this warehouse holds real readings" in only_line(done)
    assert landed(simulated) == before


@pytest.mark.usefixtures("prefect_server")
def test_the_catalogue_alone_is_refused_too(
    simulated: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.catalogue import catalogue
    from warehouse.errors import UserError

    without_the_header(monkeypatch)
    simulated.surround(moment(1))
    with pytest.raises(UserError, match="is a real exchange"):
        catalogue()
    assert simulated.rows("select state, is_simulated from ops.catalogue_runs") == [
        ("failed", None)
    ]


def test_rates_and_prices_are_named_after_the_host_that_was_asked(simulated: House) -> None:
    assert simulated.rows("select distinct source from staging.price_readings") == [("127.0.0.1",)]


def test_status_says_that_the_data_are_simulated(simulated: House) -> None:
    done = p2p("status", **settings_of(simulated))
    assert "Simulated data: this warehouse was filled by a simulated exchange." in done.stdout
    simulated.rows("update ops.runs set is_simulated = false returning 1")
    assert "Simulated" not in p2p("status", **settings_of(simulated)).stdout
