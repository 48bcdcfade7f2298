"""Documents that may be alike: texts whose MinHash signatures agree in all rows of a band, and versions of one page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.lsh import band_hashes, star_edges
from filters.shingles import Words32
from filters.stream import Hashes
from pipelines.dedup.tables import BAND, EDGE, TWIN, hash_numbers, numbers_of, pages_of, send, sets_of
from pipelines.engine import Job
from pipelines.parts import Part, read_table
from pipelines.shuffle import read_bucket


def send_bands(job: Job) -> Part:
    """Sends the texts of a part, each once, to the buckets of their band hashes; and of their pages, as of a band."""
    table = read_table(job.spec["input"], ["signature", "fold_hash", "words", "url"])
    vertex, compared = vertices_of(table, job)
    hashes = band_hashes(signatures_of(table["signature"])[compared], job.spec["bands"], job.spec["rows"])
    pages, _ = pages_of(table["url"].to_pylist() if job.spec["versions"] else [])
    band = np.concatenate([hashes.ravel(), pages[pages > 0]])
    of_page = vertex[: len(pages)][pages > 0]
    sent = pa.table(
        {"band": band, "vertex": np.concatenate([np.repeat(vertex[compared], hashes.shape[1]), of_page])}, schema=BAND
    )
    return send(job, sent, band, job.spec["buckets"])


def vertices_of(table: pa.Table, job: Job) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """The vertex of each document of a part, and whether it is compared: each text is once, if it has words."""
    vertex, _ = hash_numbers(table["fold_hash"])
    compared = table["words"].to_numpy() > 0
    twins = read_bucket(job.spec["twins"], job.spec["part"], TWIN)
    row = numbers_of(twins, "row")
    vertex[row] = numbers_of(twins, "vertex")
    compared[row] &= twins["first"].to_numpy(zero_copy_only=False)
    return vertex, compared


def signatures_of(column: pa.ChunkedArray) -> Words32:
    """Shape (documents, permutations)."""
    return sets_of(column).hashes.reshape(len(column), -1) if len(column) else np.empty((0, 0), np.uint32)


def join_bands(job: Job) -> Part:
    """Joins the texts that share a band."""
    table = read_bucket(job.spec["bands"], job.spec["bucket"], BAND)
    larger, smaller = star_edges(numbers_of(table, "band"), numbers_of(table, "vertex"))
    return write_edges(job, larger, smaller)


def write_edges(job: Job, larger: Hashes, smaller: Hashes, changed: int = 0, both: bool = True) -> Part:
    """Sends each edge to the bucket of its larger vertex, and of its smaller one too; counts the edges that changed."""
    vertex = np.concatenate([larger, smaller]) if both else larger
    neighbour = np.concatenate([smaller, larger]) if both else smaller
    table = pa.table({"vertex": vertex, "neighbour": neighbour}, schema=EDGE)
    return send(job, table, vertex, job.spec["buckets"], {"changed": changed})
