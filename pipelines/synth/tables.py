"""The tables that pass between the steps of synth. Those with text name the document that it is of."""

from __future__ import annotations

import pyarrow as pa

#: A document that a kind may be asked of. `order` is where it stands in the order of admission, by hash of its id.
CANDIDATE = pa.schema([("use", pa.int16()), ("order", pa.int64()), ("row", pa.int64())])

#: Which request it is: of which document, use (an entry of the recipe's kinds), piece and sample.
REQUEST = pa.schema(
    [
        ("order", pa.int64()),
        ("doc_id", pa.string()),
        ("row", pa.int64()),
        ("use", pa.int16()),
        ("piece", pa.int32()),
        ("pieces", pa.int32()),
        ("sample", pa.int32()),
        ("key", pa.string()),
    ]
)

#: Requests in the order of admission. Where `reason` is not null there is nothing to ask, and no key. `shared_tokens`:
#: at the beginning of the prompt, as in the request before it.
PLAN = pa.schema(
    [
        *REQUEST,
        ("prompt_tokens", pa.int64()),
        ("shared_tokens", pa.int64()),
        ("expected_tokens", pa.int64()),
        ("body", pa.large_string()),
        ("reason", pa.string()),
        ("value", pa.string()),
    ]
)

#: What came back, as it came; status 0: nothing did.
ANSWERED = pa.schema(
    [("doc_id", pa.string()), ("key", pa.string()), ("status", pa.int32()), ("body", pa.large_binary())]
)

_FAILED = pa.list_(pa.struct([("reason", pa.string()), ("value", pa.string())]))

#: What became of a request, rows as in its plan. `text` where it passed its gates; `failed` where it did not; `broken`
#: is the reason of a quarantine.
JUDGED = pa.schema(
    [
        *REQUEST,
        ("text", pa.large_string()),
        ("failed", _FAILED),
        ("broken", pa.string()),
        ("detail", pa.string()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("scores", pa.map_(pa.string(), pa.float64())),
    ]
)

#: Requests that fail for what others say.
TOGETHER = pa.schema([("key", pa.string()), ("reason", pa.string()), ("value", pa.string())])

#: Beside the documents: who wrote each, asked what, and what the gates measured.
PROVENANCE = pa.schema(
    [
        ("doc_id", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("prompt_sha256", pa.string()),
        ("teacher", pa.string()),
        ("model", pa.string()),
        ("revision", pa.string()),
        ("teacher_licence", pa.string()),
        ("parameters", pa.string()),
        ("request_keys", pa.list_(pa.string())),
        ("sample", pa.int32()),
        ("finish", pa.list_(pa.string())),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("gates", pa.map_(pa.string(), pa.float64())),
        ("limits_sha256", pa.string()),
        ("generator", pa.string()),
    ]
)
