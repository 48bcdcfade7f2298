"""The crawler process: its end, its parent, its pace."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crawlers.job import CrawlJob
from crawlers.outcome import progress, read_outcome
from crawlers.worker import main
from tests.crawl_site import Site, crawl, job, page, source, start, text

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
_CHILD = """
import os, signal
from crawlers.parent import die_with_parent
assert die_with_parent(os.getppid())
assert not die_with_parent(os.getppid() + 1)
print(flush=True)
signal.pause()
"""


def test_it_dies_with_its_parent() -> None:
    root = str(Path(__file__).resolve().parent.parent)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    assert select.select([child], [], [], 60)[0]
    os.close(child)


def test_a_job_survives_json(tmp_path: Path) -> None:
    with Site({}) as site:
        work = job(tmp_path, site, source(), delay_s=0.5)
    assert CrawlJob.from_json(work.to_json()) == work


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sources": [{}]}'])
def test_no_job_is_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(content)
    assert main([str(path)]) == 1
    assert main([]) == 1


def test_a_delay_of_ours_and_one_of_theirs(tmp_path: Path) -> None:
    answers = {"/robots.txt": text("User-agent: *\nCrawl-delay: 0.02"), "/": page(*(f"/{n}" for n in range(5)))}
    with Site(answers) as site:
        slow = source("slow", seeds=["http://slow.localhost/"], scope=["http://slow"])
        assert crawl(job(tmp_path, site, source(), slow, delay_s=0.01)) == (0, "")
    assert progress(tmp_path / "site").pages == 6


def test_a_signal_ends_what_hangs(tmp_path: Path) -> None:
    hung = threading.Event()
    with Site({"/": page("/hangs"), "/hangs": page()}) as site:
        work = job(tmp_path, site, source(), timeout_s=600.0)
        process = start(work)

        def hang(url: str) -> None:
            if url.endswith("/hangs") and not hung.is_set():
                process.terminate()
                hung.wait(60)

        site.before = hang
        _, said = process.communicate(timeout=60)
        hung.set()
        assert (process.returncode, said) == (143, "crawlers.worker: stopped by SIGTERM; unfinished: site\n")
        assert read_outcome(tmp_path / "site").unfinished == ["http://site.localhost/hangs"]
        assert crawl(work) == (0, "")
