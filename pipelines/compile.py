"""Compiles what is compiled at first use, once for a checkout: `make setup` runs it, so that no stage has to wait."""

from __future__ import annotations

import pyarrow as pa

from filters.minhash import signatures
from filters.stream import read_stream

if __name__ == "__main__":
    import pipelines.extract.child  # noqa: F401 - reads its first pages

    signatures(read_stream(pa.array(["one two three four five six"])), 16, 5)
