"""dlt's PostgreSQL destination, whose files go in over connections that know the server's types.

A new ADBC database asks for every type there is, each table's row among them, before the first row
goes in. dlt makes one for each file it loads, and half of a file's time was spent so (ADR 32).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from dlt.destinations import postgres
from dlt.destinations.impl.postgres.factory import get_adbc_driver_location
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresParquetCopyJob

if TYPE_CHECKING:
    from adbc_driver_manager import dbapi
    from dlt.common.destination.client import LoadJob
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema


class Connections:
    """Connections of ADBC to one database, which share what the first of them has asked."""

    def __init__(self) -> None:
        """Connect to nothing yet."""
        self._first: dbapi.Connection | None = None
        self._lock = threading.Lock()

    def open(self, uri: str) -> dbapi.Connection:
        """One connection more; who takes it closes it."""
        # Not before `load.source` has settled that there is no pandas: it would import that, too.
        from adbc_driver_manager import dbapi

        with self._lock:
            if self._first is None:
                self._first = dbapi.connect(
                    driver=get_adbc_driver_location(), db_kwargs={"uri": uri}, autocommit=True
                )
            return self._first.adbc_clone()

    def close(self) -> None:
        """Forget what was asked: the next connection asks again."""
        with self._lock:
            if self._first is not None:
                self._first.close()
                self._first = None


class _CopyJob(PostgresParquetCopyJob):
    def __init__(self, file_path: str, connections: Connections, uri: str) -> None:
        super().__init__(file_path)
        self._connections, self._uri = connections, uri

    def _connect(self) -> dbapi.Connection:
        return self._connections.open(self._uri)


class _Client(PostgresClient):
    connections: Connections

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        job = super().create_load_job(table, file_path, load_id, restore)
        if not isinstance(job, PostgresParquetCopyJob):
            return job
        uri = self.config.credentials.to_native_representation()
        return _CopyJob(file_path, self.connections, uri)


class Destination(postgres):
    """One database. Close its `connections` when a load is over."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        super().__init__(url, create_indexes=False)
        self.connections = Connections()

    @property
    def destination_type(self) -> str:
        """What it is, on record in every warehouse and folder: dlt's own."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """See `dlt.destinations.postgres`."""
        return _Client

    def client(self, schema: Schema, initial_config: Any = None) -> _Client:
        """See `dlt.destinations.postgres`."""
        client = cast(_Client, super().client(schema, initial_config))
        client.connections = self.connections
        return client
