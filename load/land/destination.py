"""dlt's PostgreSQL destination, by connections of ours: as all others are, and few of them.

dlt would write a URL of its own, in which a space or a plus of a password, of a name or of a
socket's path is lost, and ask for options of a session, which a pooler refuses.

A new ADBC database asks for every type there is, each table's row among them, before the first row
goes in. dlt makes one for each file it loads, which took half of the time of a file. Connections of
one load are therefore clones of the first: loading takes 1.15 times as long as `COPY`, not 1.33.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import psycopg2  # type: ignore[import-untyped]
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.factory import get_adbc_driver_location
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresParquetCopyJob
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from warehouse.connection import Warehouse

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

    def open(self, conninfo: str) -> dbapi.Connection:
        """One connection more; who takes it closes it."""
        # Not before `load.land.source` has settled that there is no pandas: it would import that.
        from adbc_driver_manager import dbapi

        with self._lock:
            if self._first is None:
                self._first = dbapi.connect(
                    driver=get_adbc_driver_location(), db_kwargs={"uri": conninfo}, autocommit=True
                )
            return self._first.adbc_clone()

    def close(self) -> None:
        """Forget what was asked: the next connection asks again."""
        with self._lock:
            if self._first is not None:
                self._first.close()
                self._first = None


class _CopyJob(PostgresParquetCopyJob):
    def __init__(self, file_path: str, connections: Connections, conninfo: str) -> None:
        super().__init__(file_path)
        self._connections, self._conninfo = connections, conninfo

    def _connect(self) -> dbapi.Connection:
        return self._connections.open(self._conninfo)


class _SqlClient(Psycopg2SqlClient):
    conninfo: str

    def open_connection(self) -> psycopg2.extensions.connection:
        self._conn = psycopg2.connect(self.conninfo)
        self._conn.autocommit = True
        return self._conn


class _Client(PostgresClient):
    connections: Connections
    sql_client: _SqlClient

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        own = self.sql_client
        self.sql_client = _SqlClient(
            own.dataset_name, own.staging_dataset_name, own.credentials, own.capabilities
        )

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        job = super().create_load_job(table, file_path, load_id, restore)
        if not isinstance(job, PostgresParquetCopyJob):
            return job
        return _CopyJob(file_path, self.connections, self.sql_client.conninfo)


class Destination(postgres):
    """One database. Close its `connections` when a load is over."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Connect to nothing yet."""
        named = {
            "drivername": "postgresql",
            "host": warehouse.host,
            "port": warehouse.port,
            "username": warehouse.user,
            "password": warehouse.password,
            "database": warehouse.database,
        }
        super().__init__(named, create_indexes=False)
        self.connections = Connections()
        self._conninfo = warehouse.conninfo

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
        client.sql_client.conninfo = self._conninfo
        return client
