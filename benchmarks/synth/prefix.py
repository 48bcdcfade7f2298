"""What share of prompt tokens a server's prefix cache serves, by layout of the prompt and order of the requests.

On llama.cpp's server with one slot, which keeps the last prompt: what a server of many users keeps of one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from manifests.synthesis import Example, Kind, Teacher
from synth.prompts import messages_for, prepare
from synth.request import body_of
from tests.llama import server
from tests.topics import document_of

DOCUMENTS = 16
_SECTIONS = 5  # of a document, each of some 90 words
_TASKS = (
    "Write questions that an operator or developer would ask and this document answers, each with its answer. "
    "A question is a level-two heading; its answer stands below it, in one to three sentences.",
    "Write a step-by-step tutorial that leads a newcomer through what this document describes. "
    "Say before each step what it is for, and after it how one sees that it worked.",
    "Make a table of the options that this document names, with default and meaning, one row each, and below it one "
    "question that the table answers, with its answer.",
    "List what one must know of this document, one fact in each line, each a sentence that stands on its own.",
)


def measure(documents: int = DOCUMENTS) -> list[dict[str, Any]]:
    """A row for each layout and order: `layout`, `order`, `prompt_tokens`, `cached_tokens`, `share`.

    Raises RuntimeError where llama.cpp is not installed.
    """
    if why := server.missing():
        raise RuntimeError(why)
    texts = ["\n".join(document_of(_SECTIONS * each + n) for n in range(_SECTIONS)) for each in range(documents)]
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        model = server.random_model(Path(directory))
        for document_first in (True, False):
            kinds = [_kind(index, task, document_first) for index, task in enumerate(_TASKS)]
            by_document = [(kind, text) for text in texts for kind in kinds]
            by_kind = [(kind, text) for kind in kinds for text in texts]
            for order, asked in (("document", by_document), ("kind", by_kind)):
                with server.serve(model, slots=1, context=16_384) as url:
                    prompt, cached = map(sum, zip(*_usages(url, asked), strict=True))
                rows.append(
                    {
                        "layout": "document first" if document_first else "instruction first",
                        "order": order,
                        "prompt_tokens": prompt,
                        "cached_tokens": cached,
                        "share": cached / prompt,
                    }
                )
    return rows


def _kind(index: int, task: str, document_first: bool) -> Kind:
    example = Example(document="", answer="", text="")
    return Kind(name=f"kind_{index}", about="", task=task, document_first=document_first, example=example)


def _usages(url: str, asked: Sequence[tuple[Kind, str]]) -> Iterator[tuple[int, int]]:
    """Tokens of each prompt, and how many of them came from the cache."""
    teacher = Teacher(model=server.RANDOM, urls=[url])
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    for kind, text in asked:
        body = body_of(teacher, messages_for(kind, "", prepare(kind, text).text), 16)
        connection.request("POST", f"{address.path}/chat/completions", json.dumps(body))
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"llama.cpp answers {response.status}: {answer}")
        yield answer["usage"]["prompt_tokens"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]
    connection.close()
