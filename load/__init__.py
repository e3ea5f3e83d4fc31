"""E and L: read the exchange's pages politely, land them verbatim, remember what was seen."""

import os

# dlt reads these when it is first imported, so they have to stand before that: no telemetry, a
# quiet log, our own handling of signals, no traces and no loaded files kept, two tries a file, and
# parquet as a mere envelope (it is read back a second later), in groups of 32 rows. A file is read
# back whole before the first row of it is sent (ADBC makes one table of what it is given), so it is
# cut at what memory may hold of it; and the parts of a table go in side by side.
for _name, _value in {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "RUNTIME__INTERCEPT_SIGNALS": "false",
    "ENABLE_RUNTIME_TRACE": "false",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__RAISE_ON_MAX_RETRIES": "2",
    "DATA_WRITER__COMPRESSION": "none",
    "DATA_WRITER__ROW_GROUP_SIZE": "32",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "32",
    "DATA_WRITER__FILE_MAX_BYTES": "12000000",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}.items():
    os.environ.setdefault(_name, _value)
