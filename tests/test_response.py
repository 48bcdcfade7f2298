"""Reading a response: the same however its bytes come, and never more than is allowed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.http import split_message
from crawlers.response import MAX_HEAD_BYTES, MAX_HEAD_LINES, MAX_INTERIM, ResponseError, ResponseReader

LIMIT = 5000

Result = tuple[int, bytes, bytes, bool] | str


def read(pieces: Iterable[bytes], limit: int = LIMIT) -> Result:
    """Status, head, body and whether the connection may be used again; or the reason why there is none."""
    reader = ResponseReader(limit)
    try:
        for piece in pieces:
            reader.feed(piece)
            if reader.done:
                break
        if not reader.done:
            reader.end()
    except ResponseError as error:
        return error.reason
    return reader.status, reader.head, reader.body, reader.persistent


def body_of(wire: bytes) -> bytes | str:
    result = read([wire])
    return result if isinstance(result, str) else result[2]


def is_kept(wire: bytes) -> bool:
    result = read([wire])
    return not isinstance(result, str) and result[3]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

WHOLE = [
    (OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    (OK + b"Content-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    (OK + b"Content-Length: 3\r\nConnection: Close\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", b"abc", True),
    (OK + b"\r\nup to the end", b"up to the end", False),
    (b"HTTP/1.1 200\nX: a line end of another kind\n\nabc", b"abc", False),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b"", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
    (CHUNKED + b"3\r\nabc\r\nA;name=value\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", True),
    (CHUNKED + b"3  \r\nabc\r\n000\r\nTrailer: x\r\n\r\n", b"abc", True),
    (CHUNKED + b"3\nabc\n0\n\n", b"abc", True),
    (CHUNKED + b"3\r\nabc\r\n0\r\n", b"abc", False),
    (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n", b"", False),
    (OK + b"a line without a colon\r\nContent-Length: 1\r\n\r\na", b"a", True),
]

REFUSED = [
    (b"", "truncated"),
    (b"HTTP/1.1 20", "truncated"),
    (OK + b"Content-Length: 3\r\n\r\nab", "truncated"),
    (CHUNKED + b"3\r\nab", "truncated"),
    (CHUNKED + b"3\r\nabc\r\n", "truncated"),
    (b"<html>HTTP/0.9 had no head", "bad_response"),
    (b"HTTP/2 200 OK\r\n\r\n", "bad_response"),
    (b"HTTP/1.1 OK\r\n\r\n", "bad_response"),
    (b"SSH-2.0-OpenSSH_9.9\r\n", "bad_response"),
    (b"\r\n\r\n" + OK, "bad_response"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "bad_response"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1) + OK + b"\r\n", "bad_response"),
    (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "bad_response"),
    (OK + b"Content-Length: -3\r\n\r\nabc", "bad_response"),
    (OK + b"Content-Length: \xb23\r\n\r\nabc", "bad_response"),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "bad_response"),
    (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", "bad_response"),
    (CHUNKED + b"-1\r\n", "bad_response"),
    (CHUNKED + b"3\r\nabcdef\r\n", "bad_response"),
    (CHUNKED + b"f" * 16 + b"\r\n", "bad_response"),
    (CHUNKED + b"1;" + b"x" * 2000, "bad_response"),
    (CHUNKED + b"fffffffff\r\n", "too_large"),
    (OK + b"Content-Length: 5001\r\n\r\n", "too_large"),
    (OK + b"\r\n" + b"a" * 5001, "too_large"),
    (OK + b"X: " + b"a" * MAX_HEAD_BYTES, "head_too_large"),
    (OK + b"X: a\r\n" * (MAX_HEAD_LINES + 1) + b"\r\n", "head_too_large"),
]


@pytest.mark.parametrize(("wire", "body", "persistent"), WHOLE)
def test_whole_responses(wire: bytes, body: bytes, persistent: bool) -> None:
    result = read([wire])
    assert not isinstance(result, str)
    assert result[2:] == (body, persistent)
    # What is beyond its end belongs to nobody.
    if persistent:
        beyond = read([wire + OK + b"\r\n"])
        assert beyond == (*result[:3], False)


@pytest.mark.parametrize(("wire", "reason"), REFUSED)
def test_refused_responses(wire: bytes, reason: str) -> None:
    assert read([wire]) == reason


@given(st.sampled_from([wire for wire, *_ in WHOLE + REFUSED if len(wire) < 6000]), st.data())
def test_how_the_bytes_come_is_nothing(wire: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=12)))
    bounds = [0, *cuts, len(wire)]
    assert read(wire[a:b] for a, b in zip(bounds, bounds[1:], strict=False)) == read([wire])
    if len(wire) < 500:
        assert read(wire[n : n + 1] for n in range(len(wire))) == read([wire])


@given(st.lists(st.binary(min_size=1, max_size=700), max_size=7), st.integers(0, 1))
def test_chunks_of_any_content(chunks: list[bytes], bare: int) -> None:
    end = b"\n" if bare else b"\r\n"
    wire = CHUNKED + b"".join(b"%x%s%s%s" % (len(c), end, c, end) for c in chunks) + b"0" + end * 2
    assert body_of(wire) == b"".join(chunks)
    assert is_kept(wire)


@given(st.binary(max_size=300), st.sampled_from([b"", OK, CHUNKED, OK + b"Content-Length: 7\r\n\r\n"]))
def test_garbage_gives_a_response_or_a_reason(garbage: bytes, begin: bytes) -> None:
    result = read([begin + garbage])
    if isinstance(result, str):
        assert result in {"truncated", "bad_response", "too_large", "head_too_large"}
    else:
        assert split_message(b"\r\n".join(result[1].splitlines()) + b"\r\n\r\n")[0]


def test_chunks_of_next_to_nothing_are_refused_once_there_are_many() -> None:
    few = CHUNKED + b"1\r\na\r\n" * 1000 + b"0\r\n\r\n"
    assert body_of(few) == b"a" * 1000
    many = [CHUNKED, *[b"1\r\na\r\n" * 10_000] * 40]
    assert read(many, limit=1 << 20) == "bad_response"
