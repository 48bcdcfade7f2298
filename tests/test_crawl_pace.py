"""The pause between two requests, as the host sees it: through a whole crawl, a kill and the crawl that goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from crawlers.outcome import read_outcome
from tests.crawl_site import HOST, Site, crawl, job, page, source, start, text

DELAY_S = 0.3
#: The server's own clock runs a little late where the machine is busy.
TOLERANCE_S = 0.01


@pytest.mark.parametrize("theirs", [True, False])
def test_a_host_is_left_alone_between_any_two_requests_also_over_a_kill(tmp_path: Path, theirs: bool) -> None:
    """The delay is the site's own, or the recipe's; requests for files that a site may have count too."""
    answers = {"/": page("/a", "/b"), "/a": page(), "/b": page()}
    answers["/robots.txt"] = text(f"User-agent: *\nCrawl-delay: {DELAY_S}\n" if theirs else "")
    with Site(answers) as site:
        work = job(tmp_path, site, source(), delay_s=0.0 if theirs else DELAY_S)
        process = start(work)
        site.before = lambda url: process.kill() if url == f"http://{HOST}/a" else None
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        before = len(site.times)
        site.before = lambda url: None
        assert crawl(work) == (0, "")
    times = [at for at, _ in site.times]
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert min(gaps) >= DELAY_S - TOLERANCE_S, gaps
    assert len(times) > before + 1
    assert {row.url for row in read_outcome(tmp_path / "site").fetched} == {f"http://{HOST}{path}" for path in answers}
