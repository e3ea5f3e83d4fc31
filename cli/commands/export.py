"""`p2p export`: a mart as a file."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings


class Format(StrEnum):
    """What a mart can be written as."""

    csv = "csv"
    parquet = "parquet"


def export(
    mart: Annotated[str, typer.Argument(help="A mart, such as market_quotes; see p2p docs.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="What to write; as --out ends, else csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to; otherwise MART.FORMAT here; -: to a pipe.")
    ] = None,
) -> int:
    """Write a mart to a file, whole or not at all; text that looks like a formula is defused."""
    settings = load_settings()
    start(settings, is_question=True)
    from cli.export import export, write_csv, write_parquet
    from warehouse.files import whole_file
    from warehouse.log import escape
    from warehouse.postgres import open_warehouse

    if form is None:
        is_parquet = out is not None and out.suffix.lower() == ".parquet"
        form = Format.parquet if is_parquet else Format.csv
    write = {Format.csv: write_csv, Format.parquet: write_parquet}[form]
    is_piped = out == Path("-")
    if is_piped and sys.stdout.isatty():
        raise UserError("--out - is for a pipe, and this is a terminal: name a file.")
    file = out or Path(f"{mart}.{form}")
    with open_warehouse(settings) as warehouse:
        if is_piped:
            export(warehouse, mart, write, sys.stdout.buffer)
            return SUCCESS
        try:
            with whole_file(file, is_for_others=True) as stream:
                rows = export(warehouse, mart, write, stream)
        except OSError as error:
            raise UserError(
                f"--out {file} cannot be written ({error.strerror}): name a file in a folder "
                "of yours."
            ) from None
    print(f"Export: {escape(str(file))} ({rows:,} rows)")
    return SUCCESS
