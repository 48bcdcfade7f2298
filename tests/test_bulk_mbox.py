"""Mail archives: where messages begin, which belong together, and in which order they are read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawlers.bulk.mbox import Thread, read_threads
from crawlers.bulk.mbox_header import read_header

FROM = "From ann@example.org Mon May  6 10:00:00 2024\n"


def mail(
    name: str, parent: str = "", *, subject: str = "Locks", hour: int = 1, body: str = "Text.\n", **more: str
) -> str:
    """A message of an archive, in mboxrd."""
    fields = {
        "From": "Ann Author <ann@example.org>",
        "Subject": subject,
        "Date": f"Mon, 06 May 2024 {hour:02}:00:00 +0000",
    }
    if name:
        fields["Message-ID"] = f"<{name}@example.org>"
    if parent:
        fields["References"] = " ".join(f"<{each}@example.org>" for each in parent.split())
    fields |= {key.replace("_", "-"): value for key, value in more.items()}
    return FROM + "".join(f"{key}: {value}\n" for key, value in fields.items()) + f"\n{body}\n"


def read(tmp_path: Path, *archives: str, **limits: int) -> list[Thread]:
    return list(read_threads([io.BytesIO(each.encode()) for each in archives], tmp_path, **limits))


def names(thread: Thread) -> list[str]:
    return [read_header(message).id.removesuffix("@example.org") for message in thread.messages]


def test_a_thread(tmp_path: Path) -> None:
    archive = mail("c", "a b", hour=3) + mail("a") + mail("other", subject="Keys") + mail("b", "a", hour=2)
    threads = read(tmp_path, archive)
    assert [(thread.id, names(thread)) for thread in threads] == [
        ("a@example.org", ["a", "b", "c"]),
        ("other@example.org", ["other"]),
    ]
    assert threads[0].messages[0].startswith(b"From: Ann Author")
    assert threads[0].messages[0].endswith(b"\n\nText.\n")
    assert not list(tmp_path.iterdir())


def test_several_files_are_one_archive(tmp_path: Path) -> None:
    assert read(tmp_path, mail("b", "a", hour=2), mail("a")) == read(tmp_path, mail("a") + mail("b", "a", hour=2))


def test_what_is_missing_still_joins(tmp_path: Path) -> None:
    (thread,) = read(tmp_path, mail("b", "gone"), mail("c", "gone", hour=2) + mail("d", "gone c", hour=3))
    assert (thread.id, names(thread)) == ("gone@example.org", ["b", "c", "d"])


def test_in_reply_to_alone(tmp_path: Path) -> None:
    (thread,) = read(tmp_path, mail("a") + mail("b", In_Reply_To="Your message of May <a@example.org> (later)"))
    assert names(thread) == ["a", "b"]


def test_an_answer_never_stands_before_its_question(tmp_path: Path) -> None:
    (thread,) = read(tmp_path, mail("a", hour=9) + mail("b", "a", hour=1) + mail("c", "a b", hour=2))
    assert names(thread) == ["a", "b", "c"]


def test_replies_without_reference_join_by_subject(tmp_path: Path) -> None:
    archive = mail("a") + mail("b", subject="Re: locks", hour=2) + mail("c", subject="Locks", hour=3)
    archive += mail("d", subject="AW: [list] Re: Locks", hour=4)
    assert [names(thread) for thread in read(tmp_path, archive)] == [["a", "b"], ["c", "d"]]


def test_an_old_subject_is_another_thread(tmp_path: Path) -> None:
    late = mail("b", subject="Re: Locks", Date="Mon, 06 May 2030 01:00:00 +0000")
    assert len(read(tmp_path, mail("a") + late)) == 2


def test_loops_and_copies(tmp_path: Path) -> None:
    archive = mail("a", "c") + mail("b", "a") + mail("c", "b") + mail("a", "c", body="A copy.\n") + mail("d", "d")
    threads = read(tmp_path, archive)
    assert sorted(name for thread in threads for name in names(thread)) == ["a", "b", "c", "d"]
    assert len(threads) == 2


def test_lines_that_begin_with_from(tmp_path: Path) -> None:
    body = "From here on it works.\n>From the start.\n>>From mboxrd.\n\nFrom now 10:00:00 on.\n"
    (thread,) = read(tmp_path, mail("a", body=body))
    assert thread.messages[0].endswith(
        b"\n\nFrom here on it works.\nFrom the start.\n>From mboxrd.\n\nFrom now 10:00:00 on.\n"
    )


def test_archives_without_blank_lines_and_of_lore(tmp_path: Path) -> None:
    lore = mail("a").replace(FROM, "From mboxrd@z Thu Jan  1 00:00:00 1970\n").rstrip("\n") + "\n"
    assert len(read(tmp_path, lore + lore.replace("<a@", "<b@").replace("Locks", "Keys"))) == 2


def test_damage(tmp_path: Path) -> None:
    assert read(tmp_path, "") == []
    assert read(tmp_path, "no archive at all\n") == []
    assert [
        names(thread) for thread in read(tmp_path, "lost text\n\n" + mail("a") + "From x Mon May  6 10:00:00 2024\n")
    ] == [["a"]]
    (thread,) = read(tmp_path, FROM + "Subject: =?utf-7?q?+AGE-?= =?x\nMessage-ID: no brackets\nDate: never\n")
    assert thread.id == "no brackets"
    (thread,) = read(tmp_path, FROM + "Subject: nothing else\n\nText\n")
    assert thread.id.startswith("unnamed-")


def test_limits(tmp_path: Path) -> None:
    archive = mail("a", body="x" * 5000 + "\n") + mail("b", "a", hour=2) + mail("c", "a", hour=3)
    (thread,) = read(tmp_path, archive, max_message_bytes=1000)
    assert [len(message) <= 1001 for message in thread.messages] == [True, True, True]
    (thread,) = read(tmp_path, archive, max_thread_bytes=5200)
    assert (names(thread), thread.left_out) == (["a"], 2)


def test_deep_threads_end(tmp_path: Path) -> None:
    archive = "".join(mail(f"m{n:04}", f"m{n - 1:04}" if n else "", hour=n % 24) for n in range(1500))
    assert sum(len(thread.messages) for thread in read(tmp_path, archive)) == 1500


@pytest.mark.parametrize(
    ("subject", "bare", "is_reply"),
    [
        ("Locks", "locks", False),
        ("Re: Locks", "locks", True),
        ("RE[2]: AW: Locks", "locks", True),
        ("=?utf-8?Q?Re:_L=C3=B6cks?=", "löcks", True),
        ("[list] Re: Locks", "locks", True),
        ("[PATCH 1/2] Locks", "[patch 1/2] locks", False),
        ("=?nonsense?x?y?=", "=?nonsense?x?y?=", False),
    ],
)
def test_subjects(subject: str, bare: str, is_reply: bool) -> None:
    header = read_header(f"Subject: {subject}\n\n".encode())
    assert (header.subject, header.is_reply) == (bare, is_reply)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3), st.integers(0, 23)), max_size=12))
def test_every_message_once_whatever_its_references(tmp_path: Path, said: list[tuple[int, list[int], int]]) -> None:
    archive = "".join(mail(str(name), " ".join(map(str, parents)), hour=hour) for name, parents, hour in said)
    threads = read(tmp_path, archive)
    found = [name for thread in threads for name in names(thread)]
    assert sorted(found) == sorted({str(name) for name, _, _ in said})
    assert [thread.id for thread in threads] == sorted({thread.id for thread in threads})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path: Path, body: bytes) -> None:
    archive = FROM.encode() + body + b"\n\n" + mail("a").encode()
    assert len(list(read_threads([io.BytesIO(archive)], tmp_path))) >= 1
