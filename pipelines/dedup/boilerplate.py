"""The boilerplate of sources: pairs of lines at the edges of the pages that stay, counted over all parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.boilerplate import edge_pairs, text_of
from filters.runs import runs_of
from filters.stream import Hashes, read_stream
from pipelines.dedup.tables import BOILERPLATE, FOUND, PAIR, numbers_of, part_and_row, place_of, send
from pipelines.engine import Job
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.shuffle import read_bucket

FEWEST_PAGES = 50  # of a source; of fewer, none of its lines is boilerplate
_PAGES = 1000  # whose words lie in memory at once


def send_pairs(job: Job) -> Part:
    """Counts the pages of a part that have a pair, by source, and sends the counts to the buckets of the pairs."""
    table = read_table(job.spec["input"], ["source", "text"])
    sent = [PAIR.empty_table()]
    for source in table["source"].unique().to_pylist():
        if source in job.spec["pages"]:
            rows = pc.indices_nonzero(pc.equal(table["source"], source))
            sent.append(_count(source, table["text"].take(rows).combine_chunks(), rows.to_numpy(), job.spec["part"]))
    pairs = pa.concat_tables(sent)
    return send(job, pairs, numbers_of(pairs, "pair"), job.spec["buckets"])


def _count(source: str, texts: pa.Array, rows: npt.NDArray[np.integer], part: int) -> pa.Table:
    """Each pair of a part's pages of one source, with the number of these."""
    pairs, page = _pairs_of(texts)
    order = np.lexsort((page, pairs))
    heads, _ = runs_of(pairs[order], page[order])
    pairs, page = pairs[order][heads], page[order][heads]  # each pair of a page once
    heads, pages = runs_of(pairs)
    place = place_of(part, rows[page[heads]])
    columns = {"source": [source] * len(heads), "pair": pairs[heads], "pages": pages, "place": place}
    return pa.table(columns, schema=PAIR)


def _pairs_of(texts: pa.Array) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """The pairs of pages, and the number of the page of each; memory holds the words of some pages at a time."""
    found = [(np.empty(0, np.uint64), np.empty(0, np.int64))]
    for begin in range(0, len(texts), _PAGES):
        pairs = edge_pairs(read_stream(texts.slice(begin, _PAGES)))
        found.append((pairs.hashes, pairs.document + begin))
    hashes, page = (np.concatenate(column) for column in zip(*found, strict=True))
    return hashes, page


def find_pairs(job: Job) -> Part:
    """The pairs of a bucket that stand on enough of the pages of their source; tells the parts where each is first."""
    counted = read_bucket(job.spec["pairs"], job.spec["bucket"], PAIR)
    total = counted.group_by(["source", "pair"]).aggregate([("pages", "sum"), ("place", "min")])
    of = pa.array([job.spec["pages"][source] for source in total["source"].to_pylist()], pa.int64())
    found = total.rename_columns(PAIR.names).append_column("of", of)
    enough = pc.greater_equal(found["pages"], pc.multiply(pa.scalar(job.spec["share"]), pc.cast(of, pa.float64())))
    found = found.filter(enough).cast(FOUND)
    part, _ = part_and_row(numbers_of(found, "place"))
    return send(job, found, part, job.spec["parts"])


def tell_lines(job: Job) -> Part:
    """Reads the lines of the pairs that are first in a part."""
    found = read_bucket(job.spec["found"], job.spec["part"], FOUND)
    lines: list[str] = []
    if found.num_rows:
        _, row = part_and_row(numbers_of(found, "place"))
        texts = read_table(job.spec["input"], ["text"])["text"].take(pa.array(row)).to_pylist()
        lines = [text_of(text, pair) for text, pair in zip(texts, numbers_of(found, "pair"), strict=True)]
    told = found.drop_columns(["place"]).append_column("lines", pa.array(lines, pa.string())).cast(BOILERPLATE)
    return write_part(job.directory, job.name, job.key, told, Counts(rows=told.num_rows), {})


def join_boilerplate(job: Job) -> Part:
    """One table of all that was found."""
    tables = [read_table(url) for url in job.spec["lines"]]
    table = pa.concat_tables([BOILERPLATE.empty_table(), *tables])
    table = table.sort_by([("source", "ascending"), ("pages", "descending"), ("pair", "ascending")])
    return write_part(job.directory, job.name, job.key, table, Counts(rows=table.num_rows), {})
