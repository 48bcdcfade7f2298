"""Threads come whole out of a dump whose rows stand in any order, and nothing is lost in silence."""

from __future__ import annotations

import io
import random
from html import escape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawlers.bulk import stackexchange
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.stackexchange import Thread, licence_of, read_threads, thread_of


def row(**attributes: object) -> str:
    cells = {name: str(value) for name, value in attributes.items()}
    quoted = (
        f'{name}="{escape(value).replace(chr(10), "&#xA;").replace(chr(9), "&#x9;").replace(chr(13), "&#xD;")}"'
        for name, value in cells.items()
    )
    return f"  <row {' '.join(quoted)} />\n"


def question(number: int, **more: object) -> str:
    base = {"Id": number, "PostTypeId": 1, "CreationDate": "2014-01-21T20:26:05.383", "Score": 3}
    return row(**(base | {"Title": f"Question {number}", "Tags": "<linux><bash>", "Body": "<p>Why?</p>"} | more))


def answer(number: int, parent: int, **more: object) -> str:
    base = {"Id": number, "PostTypeId": 2, "ParentId": parent, "CreationDate": "2019-01-01T00:00:00.000", "Score": 1}
    return row(**(base | {"Body": f"<p>Because {number}.</p>"} | more))


def dump(*rows: str, table: str = "posts") -> bytes:
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<{table}>\n{"".join(rows)}</{table}>'.encode()


def read(
    posts: bytes, work: Path, comments: bytes | None = None, users: bytes | None = None
) -> tuple[list[Thread], list[LeftOut]]:
    streams = [None if table is None else io.BytesIO(table) for table in (comments, users)]
    found = list(read_threads(io.BytesIO(posts), work, *streams))
    assert not list(work.iterdir())
    return [each for each in found if isinstance(each, Thread)], [each for each in found if isinstance(each, LeftOut)]


def test_a_thread_is_whole_and_in_order(tmp_path: Path) -> None:
    posts = dump(
        answer(9, 5, Score=2),
        answer(3, 5, Score=2),
        question(7),
        answer(11, 5, Score=-4, OwnerDisplayName="ann"),
        question(5, AcceptedAnswerId=11, OwnerUserId=40, ClosedDate="2020-01-01T00:00:00.000"),
        answer(12, 5, Score=90, OwnerUserId=41, LastEditDate="2021-01-01T00:00:00.000"),
    )
    users = dump(row(Id=40, DisplayName="bo"), table="users")
    threads, left = read(posts, tmp_path, users=users)
    assert not left
    assert [thread.question.id for thread in threads] == [5, 7]
    first = threads[0]
    assert [post.id for post in first.answers] == [11, 12, 3, 9]
    assert (first.title, first.tags, first.accepted, first.closed) == (
        "Question 5",
        ("linux", "bash"),
        11,
        "2020-01-01T00:00:00.000",
    )
    assert [post.author for post in first.posts] == ["bo", "ann", "user 41", "", ""]
    assert first.answers[1].changed == "2021-01-01T00:00:00.000"
    assert first.licence == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"
    assert threads[1].licence == "CC-BY-SA-3.0"


def test_tags_of_newer_dumps(tmp_path: Path) -> None:
    threads, _ = read(dump(question(1, Tags="|c++|.net|status-completed|")), tmp_path)
    assert threads[0].tags == ("c++", ".net", "status-completed")


@pytest.mark.parametrize(
    ("date", "stated", "licence"),
    [
        ("2011-04-07T23:59:59.999", None, "CC-BY-SA-2.5"),
        ("2011-04-08T00:00:00.000", None, "CC-BY-SA-3.0"),
        ("2018-05-01T23:59:59.999", None, "CC-BY-SA-3.0"),
        ("2018-05-02T00:00:00.000", "", "CC-BY-SA-4.0"),
        ("2010-01-01T00:00:00.000", "CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("2010-01-01T00:00:00.000", "all rights reserved", "all rights reserved"),
    ],
)
def test_licence(date: str, stated: str | None, licence: str) -> None:
    assert licence_of(date, stated) == licence


def test_comments_stand_with_their_posts(tmp_path: Path) -> None:
    when = "2019-05-05T00:00:00.000"
    comments = dump(
        row(Id=2, PostId=4, Score=1, Text="second", CreationDate=when, ContentLicense="CC BY-SA 4.0"),
        row(Id=1, PostId=4, Score=5, Text="first", CreationDate=when),
        row(Id=3, PostId=99, Text="lost", CreationDate=when),
        row(Id=4, PostId=8, Text="of an orphan", CreationDate=when),
        table="comments",
    )
    threads, left = read(dump(question(4), answer(8, 77)), tmp_path, comments)
    assert [(each.score, each.text) for each in threads[0].question.comments] == [(5, "first"), (1, "second")]
    assert threads[0].licence == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"
    assert [(each.reason, each.detail.split(":")[0]) for each in left] == [
        ("orphan", "posts"),
        ("orphan", "comments"),
        ("orphan", "comments"),
    ]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rows = [
        question(1),
        "  <row Id='2' PostTypeId='2' ParentId='1' Body='<b>raw</b>' CreationDate='2014-01-01T00:00:00' />\n",
        answer(3, 1).replace("/>", ">"),
        answer(4, 1).replace("Because", "&boom;"),
        answer(5, 1).replace('Id="5"', 'Id="five"'),
        answer(6, 1, CreationDate="yesterday"),
        answer(7, 1, ParentId=""),
        answer(8, 1, PostTypeId=5),
        question(1),
        answer(9, 2),
        answer(10, 1) + "  <ro Id='11' />\n",
        answer(12, 1),
    ]
    posts = dump(*rows)
    threads, left = read(posts, tmp_path)
    assert [post.id for post in threads[0].answers] == [10, 12]
    by_offset = sorted(left, key=lambda each: each.offset)
    assert [each.reason for each in by_offset] == [
        *["damaged_row"] * 6,
        "not_a_thread",
        "duplicate",
        "orphan",
        "damaged_row",
    ]
    starts = [posts[each.offset :][:13].decode() for each in by_offset]
    assert starts[:3] == ["<row Id='2' P", '<row Id="3" P', '<row Id="4" P']
    assert starts[-1] == "<ro Id='11' /"


def test_entities_and_document_types_are_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    work = tmp_path / "work"
    work.mkdir()
    head = f'<!DOCTYPE posts [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file://{secret}">]><posts>\n'
    body = question(1) + question(2).replace("Why", "&a;") + question(3).replace("Why", "&b;")
    threads, left = read((head + body + "</posts>").encode(), work)
    assert [thread.question.id for thread in threads] == [1]
    assert [each.reason for each in left] == ["damaged_row", "damaged_row"]


@pytest.mark.parametrize("posts", [b"", b"<posts>\n</posts>", b"no dump at all", b"<row"])
def test_a_stream_without_rows(posts: bytes, tmp_path: Path) -> None:
    threads, left = read(posts, tmp_path)
    assert not threads
    assert [each.reason for each in left] == ["no_rows"]


def test_a_cut_stream_loses_its_last_row_only(tmp_path: Path) -> None:
    posts = dump(question(1), question(2))
    threads, left = read(posts[: posts.rindex(b"Tags")], tmp_path)
    assert [thread.question.id for thread in threads] == [1]
    assert [(each.offset, each.reason) for each in left] == [(posts.rindex(b"<row"), "damaged_row")]


def test_rows_and_threads_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackexchange, "MAX_ROW_BYTES", 2000)
    monkeypatch.setattr(stackexchange, "MAX_THREAD_BYTES", 4000)
    monkeypatch.setattr(stackexchange, "_CHUNK", 1000)
    rows = [question(1, Body="x" * 60_000), question(2), question(3, Body="y" * 1500)]
    posts = dump(*rows, *(answer(10 + i, 3, Body="z" * 1500) for i in range(3)), question(4))
    threads, left = read(posts, tmp_path)
    assert [thread.question.id for thread in threads] == [2, 4]
    assert [each.reason for each in left] == ["too_large", "too_large"]
    assert [posts[each.offset :].split(b'"')[1] for each in left] == [b"1", b"3"]


class Trickle(io.RawIOBase):
    """A stream that gives few bytes at a time, as a decompressor may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step, self._at = data, step, 0

    def read(self, size: int = -1) -> bytes:
        self._at += self._step
        return self._data[self._at - self._step : self._at]


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
bodies = st.lists(st.one_of(text, st.text(st.sampled_from("<>&\"'\n\t ab]]>"))), max_size=3).map("".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parents=st.lists(st.integers(1, 4), max_size=12),
    bodies=st.lists(bodies, min_size=16, max_size=16),
    seed=st.integers(0, 99),
    step=st.integers(1, 300),
)
def test_the_order_of_rows_changes_nothing(
    tmp_path: Path, parents: list[int], bodies: list[str], seed: int, step: int
) -> None:
    rows = [question(number, Body=bodies[number - 1]) for number in range(1, 5)]
    rows += [answer(10 + i, parent, Body=bodies[4 + i]) for i, parent in enumerate(parents)]
    threads, left = read(dump(*rows), tmp_path)
    assert not left
    assert [thread.question.body for thread in threads] == bodies[:4]
    found = {post.id: post.body for thread in threads for post in thread.answers}
    assert found == {10 + i: bodies[4 + i] for i in range(len(parents))}
    random.Random(seed).shuffle(rows)
    again = list(read_threads(Trickle(dump(*rows), step), tmp_path))  # type: ignore[arg-type]
    assert again == threads


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies)
def test_a_payload_reads_back(tmp_path: Path, body: str) -> None:
    threads, _ = read(dump(question(1, Body=body), answer(2, 1)), tmp_path)
    payload = threads[0].payload()
    assert thread_of(payload) == threads[0]
    assert thread_of(payload).payload() == payload


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000, b'{"title": 1}'])
def test_another_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        thread_of(payload)
