"""Archives of mailing lists: Mailman's months, and a public-inbox."""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
from pathlib import Path

import pytest

from crawlers.bulk.readers import pipermail
from crawlers.bulk.readers.pipermail import archive_of, period_of
from manifests.models import Source
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.records import read_raw
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start, stored

LIST = "/pipermail/ops/"
WORDS = "The scheduler runs each task of the queue until its quota is used, and then the next one.\n"


def message(number: int, month: str, answers: int | None = None, text: str = WORDS) -> bytes:
    reply = f"In-Reply-To: <m{answers}@example.org>\n" if answers is not None else ""
    subject = f"Subject: {'Re: ' if reply else ''}[ops] Question {answers if reply else number}\n"
    return (
        f"From ann at example.org  Tue {month}  2 03:04:05 2024\nFrom: ann at example.org (Ann Lee)\n"
        f"Date: Tue, 2 {month} 2024 03:04:05 +0000\n{subject}{reply}Message-ID: <m{number}@example.org>\n\n{text}\n"
    ).encode()


def index(*names: str) -> Answer:
    rows = "".join(
        f'<tr><td>{name}:</td><td><A href="{name}/thread.html">[ Thread ]</a></td>'
        f'<td><A href="{name}">[ Gzip\'d Text 1 KB ]</a></td></tr>'
        for name in names
    )
    more = '<a href="http://lists.example.org/listinfo/ops">more</a> <a href="../other/2024-May.txt">other</a>'
    return Answer(f"<HTML><body>{more}<table>{rows}</table>".encode(), headers={"Content-Type": "text/html"})


JANUARY = message(1, "Jan") + message(2, "Jan", 1, ">From the start.\n" + WORDS)
FEBRUARY = message(3, "Feb", 2) + message(4, "Feb")
MARCH = message(5, "Mar", 1)
MONTHS = {
    LIST: index("2024-March.txt.gz", "2024-February.txt", "2024-January.txt.gz"),
    f"{LIST}2024-January.txt.gz": Answer(gzip.compress(JANUARY), headers={"Content-Type": "application/x-gzip"}),
    f"{LIST}2024-February.txt": Answer(FEBRUARY, headers={"Content-Type": "text/plain"}),
    f"{LIST}2024-March.txt.gz": Answer(
        gzip.compress(MARCH), headers={"Content-Type": "text/plain", "Content-Encoding": "x-gzip"}
    ),
}


def ops(**changes: object) -> Source:
    return source("pipermail", "ops", bulk_url=f"{BASE}{LIST}", **changes)


def threads(directory: Path) -> list[Raw | Broken]:
    return list(read_raw(str(directory / "ops/files/ops.mbox.gz"), "ops/files/ops.mbox.gz", 1 << 20))


def test_months_are_one_archive_with_threads_across_them(tmp_path: Path) -> None:
    with Host(dict(MONTHS)) as host:
        work = job(tmp_path, host, ops())
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", *MONTHS], 1)
    joined = gzip.decompress((tmp_path / "ops/files/ops.mbox.gz").read_bytes())
    assert joined == JANUARY + b"\n" + FEBRUARY + b"\n" + MARCH + b"\n"
    first, second = threads(tmp_path)
    assert isinstance(first, Raw)
    assert isinstance(second, Raw)
    assert [first.body.count(f"<m{k}@example.org>".encode()) > 0 for k in (1, 2, 3, 4, 5)] == [True] * 3 + [False, True]
    assert {each.url for each in outcome_of(work, "ops").fetched} == {
        f"{BASE}{path}" for path in [*MONTHS, "/robots.txt", "/pipermail/ops.mbox/ops.mbox"]
    }


def test_the_archive_is_the_same_whatever_was_killed(tmp_path: Path) -> None:
    names = [f"{year}-{month}.txt" for year in (2021, 2022) for month in ("January", "June", "July", "December")]
    served = {LIST: index(*names)}
    served |= {f"{LIST}{name}": Answer(message(number, "Jan")) for number, name in enumerate(names)}
    again: list[str] = []
    with Host(served) as host:
        assert read(job(tmp_path / "whole", host, ops())) == {}
        host.asked.clear()
        work = job(tmp_path / "killed", host, ops())
        whole: set[str] = set()
        for moment in sorted(random.Random(4).sample(range(3, 9), 2)):
            process = start(work)

            def watch(path: str, process: subprocess.Popen[str] = process, moment: int = moment) -> None:
                again.extend([path] if BASE + path in whole else [])
                if host.asked.total() >= moment:
                    process.kill()

            host.before = watch
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            whole.update(record.url for record in stored(tmp_path / "killed/ops"))
        host.before = lambda path: again.append(path) if BASE + path in whole else None
        assert run(work) == (0, "")
    assert again == []
    archives = [(tmp_path / each / "ops/files/ops.mbox.gz").read_bytes() for each in ("whole", "killed")]
    assert archives[0] == archives[1]


@pytest.mark.parametrize(
    ("month", "reason"),
    [
        (
            gzip.compress(JANUARY + message(9, "Jan", text=random.Random(0).randbytes(4000).hex()))[:-900],
            "damaged_archive",
        ),
        (gzip.compress(b"<html>Members only</html>", mtime=0), "not_mbox"),
    ],
)
def test_of_a_damaged_month_what_is_whole_is_read(tmp_path: Path, month: bytes, reason: str) -> None:
    with Host({**MONTHS, f"{LIST}2024-January.txt.gz": Answer(month)}) as host:
        work = job(tmp_path, host, ops())
        assert read(work) == {}
    joined = gzip.decompress((tmp_path / "ops/files/ops.mbox.gz").read_bytes())
    assert joined == (JANUARY + b"\n" if reason == "damaged_archive" else b"") + FEBRUARY + b"\n" + MARCH + b"\n"
    assert reasons(outcome_of(work, "ops")) == {f"{LIST}2024-January.txt.gz": reason}


def test_a_month_that_cannot_be_had_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = {path: answer for path, answer in MONTHS.items() if "January" not in path}
    with Host(served) as host:
        work = job(tmp_path / "gone", host, ops(bulk_exclude=["March"]))
        assert read(work) == {}
        assert gzip.decompress((tmp_path / "gone/ops/files/ops.mbox.gz").read_bytes()) == FEBRUARY + b"\n"
        assert outcome_of(work, "ops").ignored == {"not_included": 1}
        monkeypatch.setattr(pipermail, "MAX_MONTH_BYTES", len(message(3, "Feb", 2)) + 5)
        work = job(tmp_path / "large", host, ops(bulk_include=["February"]))
        assert read(work) == {}
        assert gzip.decompress((tmp_path / "large/ops/files/ops.mbox.gz").read_bytes()) == message(3, "Feb", 2) + b"\n"
        assert reasons(outcome_of(work, "ops")) == {f"{LIST}2024-February.txt": "damaged_archive"}


@pytest.mark.parametrize("body", [b"", b"<p>nothing", index("2023-May.txt").body])
def test_a_list_without_months_stands_in_the_index(tmp_path: Path, body: bytes) -> None:
    with Host({LIST: Answer(body, headers={"Content-Type": "text/html"})}) as host:
        work = job(tmp_path, host, ops())
        assert read(work) == {}
    assert reasons(outcome_of(work, "ops")) == {"/pipermail/ops.mbox/ops.mbox": "no_months"}


@pytest.mark.parametrize(
    ("name", "period"),
    [
        ("2024-January.txt.gz", (2024, 1, 0)),
        ("2024-December.txt", (2024, 12, 0)),
        ("2004.txt", (2004, 0, 0)),
        ("2004q3.txt.gz", (2004, 9, 0)),
        ("Week-of-Mon-20040105.txt.gz", (2004, 1, 5)),
        ("20040131.txt", (2004, 1, 31)),
        ("2024-January/thread.html", None),
        ("2024-Januar.txt", None),
        ("attachment.txt", None),
        ("2024-January.txt.gz?x", None),
    ],
)
def test_periods(name: str, period: tuple[int, int, int] | None) -> None:
    assert period_of(f"{BASE}{LIST}{name}") == period


def test_where_an_archive_is() -> None:
    assert archive_of("http://l.example/pipermail/a-b.c/") == "http://l.example/pipermail/a-b.c.mbox/a-b.c.mbox"


# ---------------------------------------------------------------- public-inbox


def test_a_public_inbox_is_one_file(tmp_path: Path) -> None:
    served = {
        "/gcc/all.mbox.gz": Answer(gzip.compress(JANUARY + FEBRUARY), headers={"Content-Type": "application/gzip"})
    }
    with Host(served) as host:
        work = job(tmp_path, host, source("public_inbox", "ops", bulk_url=f"{BASE}/gcc"))
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == {"/robots.txt": 1, "/gcc/all.mbox.gz": 1}
    assert len(threads(tmp_path)) == 2
    assert (outcome_of(work, "ops").unfinished, outcome_of(work, "ops").not_fetched) == ([], [])


def test_of_an_inbox_that_is_cut_the_whole_messages_are_read(tmp_path: Path) -> None:
    body = gzip.compress(JANUARY + FEBRUARY + message(7, "Mar", text=random.Random(0).randbytes(4000).hex()))[:-900]
    with Host({"/gcc/all.mbox.gz": Answer(body)}) as host:
        assert read(job(tmp_path, host, source("public_inbox", "ops", bulk_url=f"{BASE}/gcc/"))) == {}
    *whole, rest = threads(tmp_path)
    assert len(whole) == 2
    assert isinstance(rest, Broken)
    assert rest.reason == "damaged_archive"


def test_an_inbox_that_breaks_off_is_not_kept(tmp_path: Path) -> None:
    body = gzip.compress(JANUARY)
    with Host({"/gcc/all.mbox.gz": Answer(body, cut=len(body) // 2)}) as host:
        work = job(tmp_path, host, source("public_inbox", "ops", bulk_url=f"{BASE}/gcc/"))
        assert read(work) == {}
    assert reasons(outcome_of(work, "ops")) == {"/gcc/all.mbox.gz": "connection"}
    assert not list((tmp_path / "ops/files").glob("*.gz"))
