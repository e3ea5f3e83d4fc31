"""Models of the price, as pure functions: they know neither Prefect nor dbt, and no warehouse.

statsforecast takes seconds to import, so only `forecast.models` does, and only where it fits.
"""
