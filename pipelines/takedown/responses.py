"""The store of the teacher's responses: a file for each request, named after all of it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.engine import read_commit
from pipelines.parts import read_table
from pipelines.run import Run
from synth import client, prompts

FOLDER = "_responses"


def find_responses(run: Run, ids: pa.Array) -> list[str]:
    """Names, in the store, of the responses to requests about documents; each request holds its document."""
    settings = run.recipe.synth
    commit = read_commit(run.directory("filter"))
    if settings.teacher is None or commit is None:
        return []
    store = storage.join(run.directory("synth"), FOLDER)
    found = []
    for part in commit.parts:
        url = storage.join(run.directory("filter"), f"{part.name}.parquet")
        rows = pc.indices_nonzero(pc.is_in(read_table(url, ["doc_id"])["doc_id"], ids))
        for row in read_table(url, ["title", "text"]).take(rows).to_pylist() if len(rows) else ():
            for kind in settings.kinds:
                messages = prompts.messages_for(kind, row["title"], row["text"])
                key = client.request_key(client.request_of(settings.teacher, messages))
                if storage.exists(storage.join(store, key[:2], f"{key}.json")):
                    found.append(f"{key[:2]}/{key}.json")
    return sorted(found)


def remove_responses(run: Run, names: Sequence[str]) -> list[str]:
    """Deletes responses; returns where they lay, below the stage's directory."""
    directory = run.directory("synth")
    for name in names:
        storage.delete(storage.join(directory, FOLDER, name))
    return [f"{FOLDER}/{name}" for name in names]
