"""A host that does not answer is left alone, longer each time, and in the end given up; others go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crawlers.breaker import FAILURES, OPENINGS, Breaker
from crawlers.outcome import Outcome, progress, read_outcome
from tests.crawl_site import HOST, OFFERS, Answer, Site, crawl, job, page, source, text

BASE = f"http://{HOST}"
DOWN = "http://down.localhost"
SHUT = "http://shut.localhost"


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(2.0)
    for _ in range(10):
        assert [breaker.failed() for _ in range(FAILURES - 1)] == [0.0] * (FAILURES - 1)
        breaker.succeeded()
    assert not breaker.is_down


def test_each_pause_is_twice_as_long_and_one_more_failure_opens_it_again() -> None:
    breaker = Breaker(2.0)
    pauses = [breaker.failed() for _ in range(FAILURES + OPENINGS - 1)]
    assert [pause for pause in pauses if pause] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[FAILURES - 1 :] == [2.0, 4.0, 8.0, 16.0]
    assert breaker.is_down


def test_an_answer_closes_it() -> None:
    breaker = Breaker(2.0)
    for _ in range(FAILURES + OPENINGS - 2):
        breaker.failed()
    assert not breaker.is_down
    breaker.succeeded()
    assert [breaker.failed() for _ in range(FAILURES)] == [0.0] * (FAILURES - 1) + [2.0]


def test_no_pause_is_longer_than_an_hour() -> None:
    breaker = Breaker(1800.0)
    assert max(breaker.failed() for _ in range(30)) == 3600.0
    assert breaker.is_down


def reasons(outcome: Outcome, base: str) -> dict[str, str]:
    """Reasons of the URLs of a host that were not fetched, offers apart."""
    rows = [row for row in outcome.not_fetched if row.url.startswith(base) and not row.url.endswith(OFFERS)]
    return {row.url.removeprefix(base): row.reason for row in rows}


@contextmanager
def refusing() -> Iterator[tuple[str, list[int]]]:
    """An address where every connection is reset at once, and a count of them."""
    server = socket.create_server(("127.0.0.1", 0))
    counted = [0]

    def refuse() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            counted[0] += 1
            connection.close()

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}", counted
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_hosts_that_were_never_there_cost_a_few_tries_and_the_other_is_whole(tmp_path: Path) -> None:
    answers = {"/": page(*(f"{host}/{n}" for n in range(30) for host in (DOWN, SHUT)), "/a"), "/a": page()}
    three = source(scope=[f"{BASE}/", f"{DOWN}/", f"{SHUT}/"], further_hosts=["down.localhost", "shut.localhost"])
    with Site(answers) as site, refusing() as (address, connections), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        work = job(tmp_path, site, three)
        work.connect_to["down.localhost"] = address
        work.connect_to["shut.localhost"] = f"127.0.0.1:{closed.getsockname()[1]}"
        assert crawl(work) == (0, "")
        assert 1 <= connections[0] <= 10
    outcome = read_outcome(tmp_path / "site")
    assert {row.url.removeprefix(BASE) for row in outcome.fetched} == {*answers, "/robots.txt"}
    for host in (DOWN, SHUT):
        left = reasons(outcome, host)
        assert {left.pop(f"/{n}") for n in range(30)} == {"robots_unreachable"}
        assert left == {"/robots.txt": "connection"}
    assert progress(tmp_path / "site").closed == {DOWN: "robots_unreachable", SHUT: "robots_unreachable"}
    assert outcome.unfinished == []


def test_a_host_that_breaks_down_is_left_to_the_next_crawl_and_then_whole(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"/": page(*(f"{DOWN}/{n}" for n in range(30)), *(f"/{n}" for n in range(5)))}
    answers |= {f"/{n}": page() for n in range(5)}
    answers |= {f"{DOWN}/{n}": text("broken", 500) for n in range(30)}
    both = source(scope=[f"{BASE}/", f"{DOWN}/"], further_hosts=["down.localhost"], politeness={"concurrency": 1})
    with Site(answers) as site:
        # The first pause is sixty times the delay.
        work = job(tmp_path, site, both, delay_s=0.002, retries=3)
        assert crawl(work) == (0, "")
        tries = sum(number for url, number in site.asked.items() if url.startswith(DOWN) and "robots" not in url)
        assert FAILURES < tries <= FAILURES + OPENINGS
        outcome = read_outcome(tmp_path / "site")
        assert {row.url.removeprefix(BASE) for row in outcome.fetched if row.url.startswith(BASE)} == {
            *(path for path in answers if path.startswith("/")),
            "/robots.txt",
        }
        assert reasons(outcome, DOWN) == {f"/{n}": "later" for n in range(30)}
        assert outcome.unfinished == []
        answers |= {f"{DOWN}/{n}": page() for n in range(30)}
        assert crawl(replace(job(tmp_path, site, both), generation=2)) == (0, "")
    outcome = read_outcome(tmp_path / "site")
    assert reasons(outcome, DOWN) == {}
    assert {row.url for row in outcome.fetched} >= {f"{DOWN}/{n}" for n in range(30)}
