"""What a cycle asks of the hosts beside the exchange, and of which of them."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from load.land.landed import landed_rates
from load.rates import official_rates, spot_prices
from load.rates.beside import Beside, PriceReading
from warehouse.postgres import Warehouse
from warehouse.settings import Settings


def ask_beside(
    settings: Settings, warehouse: Warehouse, assets: Collection[str], now: datetime
) -> Beside:
    """Begin to ask: for rates if those that landed are no longer current, and for spot prices.

    `assets` are those of the books that this cycle reads; a cycle without any asks for nothing.
    """
    beside = Beside(settings.user_agent)
    if not assets:
        return beside
    if settings.rates_url is None:
        beside.outcomes[official_rates.KIND] = "off"
    else:
        source = _host(settings.rates_url)
        with warehouse.connect(autocommit=True) as connection:
            landed = landed_rates(connection, source)
        if landed is None or landed.is_due(now):
            beside.ask(
                PriceReading(official_rates.KIND, source, now),
                settings.rates_url,
                official_rates.job(landed),
            )
        else:
            beside.outcomes[official_rates.KIND] = "current"
    if settings.spot_url is None:
        beside.outcomes[spot_prices.KIND] = "off"
    else:
        beside.ask(
            PriceReading(spot_prices.KIND, _host(settings.spot_url), now),
            settings.spot_url,
            spot_prices.job(assets),
        )
    return beside


def _host(url: str) -> str:
    """The name of a source: the host that is asked, whichever of its ports."""
    return urlsplit(url).hostname or url
