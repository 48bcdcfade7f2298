"""Attribution: who made the documents whose licence asks for it to be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from manifests.models import Source
from pipelines import storage
from pipelines.engine import Job, Work
from pipelines.export.lineage import documents_of
from pipelines.extract.licences import needs_attribution
from pipelines.parts import Counts, Part, read_table, write_part

_ATTRIBUTED = (
    "doc_id",
    "title",
    "authors",
    "date",
    "url",
    "source",
    "licence",
    "licence_evidence",
    "copies",
    "parents",
)


def attribution_jobs(work: Work) -> list[Job]:
    """One job for each part of documents."""
    return [
        work.job(attribute, "", "attribution/" + each.name.replace("/", "-"), [each.content], {"documents": each.url})
        for each in documents_of(work.run)
    ]


def attribute(job: Job) -> Part:
    """Who made the documents whose licence asks for it to be said; a rewrite names its parents, which are here too."""
    documents = read_table(job.spec["documents"], list(_ATTRIBUTED))
    asked = [needs_attribution(licence) for licence in documents["licence"].to_pylist()]
    table = documents.filter(pa.array(asked, pa.bool_()))
    named = Counter(zip(table["source"].to_pylist(), table["licence"].to_pylist(), strict=True))
    extra = {
        f"{source}\t{licence or 'unknown'}": number for (source, licence), number in sorted(named.items(), key=str)
    }
    return write_part(job.directory, job.name, job.key, table, Counts(rows=table.num_rows, extra=extra), {})


def write_attribution(work: Work, parts: Sequence[Part]) -> None:
    """Writes the page for people."""
    storage.write_bytes(storage.join(work.directory, "ATTRIBUTION.txt"), page_of(work.run.sources, parts))


def page_of(sources: Sequence[Source], parts: Sequence[Part]) -> bytes:
    """A page for people: what each source gave, and under which licence."""
    names = {source.id: f"{source.name}, {', '.join(source.hosts)}" for source in sources}
    lines = [
        "The documents of this data set were made by others. attribution/*.parquet names each, with its authors.",
        "",
    ]
    for key, number in sorted(Counts.total([part.counts for part in parts]).extra.items()):
        source, licence = key.split("\t")
        lines.append(f"{names.get(source, source)}: {number:,} documents under {licence}")
    return ("\n".join(lines) + "\n").encode()
