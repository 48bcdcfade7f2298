"""A process that commits parts until it is killed: it says the number of each before it begins."""

from __future__ import annotations

import sys
from itertools import count

import pyarrow as pa

from pipelines.parts import Counts, write_part

ROWS = 100_000


def table_of_number(number: int) -> pa.Table:
    """The rows of part `number`."""
    return pa.table({"value": [row * 2654435761 % 4294967296 + number for row in range(ROWS)]})


def commit(directory: str, number: int, table: pa.Table) -> None:
    """Writes part `number`, with a table beside it."""
    counts = Counts(seen=ROWS, consumed=ROWS, rows=ROWS)
    write_part(directory, f"part-{number:05}", f"key-{number}", table, counts, {"dropped": table.slice(0, ROWS // 2)})


if __name__ == "__main__":
    begin = int(sys.argv[2])
    table = table_of_number(begin)
    for number in count(begin):
        print(number, flush=True)
        commit(sys.argv[1], number, table)
