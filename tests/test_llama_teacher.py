"""What the tests rely on a real server for: llama.cpp's own, with a model of random weights."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from manifests.synthesis import Teacher
from synth.request import body_of
from tests.llama import server
from tests.llama.gguf import write_random_llama

_SCHEMA = {
    "type": "object",
    "properties": {
        "cause": {"enum": ["disk", "network", "memory"]},
        "certain": {"type": "boolean"},
        "steps": {"type": "array", "items": {"enum": ["look", "restart"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["cause", "certain", "steps"],
    "additionalProperties": False,
}


def _ask(url: str, body: dict[str, Any], path: str = "/chat/completions") -> tuple[int, dict[str, Any]]:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("POST", address.path + path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.getheader("Content-Type", "").startswith("application/json")
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _body(url: str, text: str, max_tokens: int = 24, api: str = "chat", **more: Any) -> dict[str, Any]:
    teacher = Teacher.model_validate({"model": "random", "api": api, "urls": [url]})
    return body_of(teacher, [{"role": "user", "content": text}], max_tokens, **more)


def test_the_same_seed_makes_the_same_model_and_another_seed_another(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    digests = []
    for seed in (0, 0, 1):
        write_random_llama(tmp_path / "model.gguf", seed)
        digests.append(hashlib.sha256((tmp_path / "model.gguf").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_a_chat_is_answered_with_its_tokens_counted_and_why_it_ended(llama: str) -> None:
    status, answer = _ask(llama, _body(llama, "What does fsync do?"))
    assert status == 200
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant" and choice["message"]["content"]
    assert choice["finish_reason"] == "length"
    usage = answer["usage"]
    assert usage["completion_tokens"] == 24 and usage["prompt_tokens"] > 5
    assert usage["total_tokens"] == usage["prompt_tokens"] + 24
    assert answer["model"] == "random"


def test_a_completion_is_answered(llama: str) -> None:
    status, answer = _ask(llama, _body(llama, "fsync", api="completion"), "/completions")
    assert status == 200
    assert answer["choices"][0]["text"] and answer["usage"]["completion_tokens"] == 24


def test_an_answer_keeps_to_the_schema_that_was_asked_for(llama: str) -> None:
    for sample in range(3):
        status, answer = _ask(llama, _body(llama, "Why is it slow?", 400, schema=_SCHEMA, sample=sample))
        assert status == 200 and answer["choices"][0]["finish_reason"] == "stop"
        jsonschema.validate(json.loads(answer["choices"][0]["message"]["content"]), _SCHEMA)


def test_a_prompt_longer_than_the_context_is_refused_for_good(llama: str) -> None:
    status, answer = _ask(llama, _body(llama, "many words " * 2000))
    assert status == 400
    assert answer["error"]["type"] == "exceed_context_size_error" and answer["error"]["n_ctx"] == 2048


def test_what_is_no_request_is_refused_for_good(llama: str) -> None:
    assert _ask(llama, {"messages": "none"})[0] == 400
    assert _ask(llama, {}, "/no/such/path")[0] == 404


def test_requests_at_once_share_the_server_and_are_answered_each(llama: str) -> None:
    bodies = [_body(llama, f"Question {index}", 128) for index in range(32)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: _ask(llama, body), bodies))
    assert [status for status, _ in answers] == [200] * 32
    assert len({answer["id"] for _, answer in answers}) == 32
    assert server.metric(llama, "n_busy_slots_per_decode") > 1.5  # continuous batching, not one after another


def test_a_prompt_that_was_just_asked_comes_from_the_cache(llama: str) -> None:
    body = _body(llama, "The same document, and then another task. " * 20)
    first, again = (_ask(llama, body)[1]["usage"] for _ in range(2))
    assert first["prompt_tokens"] == again["prompt_tokens"]
    assert again["prompt_tokens_details"]["cached_tokens"] >= 0.9 * again["prompt_tokens"]


def test_a_model_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    if why := server.missing():
        pytest.skip(why)
    (tmp_path / "broken.gguf").write_bytes(b"not a model")
    with pytest.raises(RuntimeError, match="llama.cpp's server did not start: .*"):
        with server.serve(tmp_path / "broken.gguf"):
            pass
