"""The crawler process: its end, its parent, its pace, TLS."""

from __future__ import annotations

import os
import select
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crawlers.job import CrawlJob
from crawlers.outcome import progress, read_outcome
from crawlers.worker import main
from tests.crawl_site import Answer, Site, crawl, job, page, source, start, text

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
_CHILD = """
import os, signal
from crawlers.worker import die_with_parent
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


def certificate(path: Path, host: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("name", "trusted", "refusal"),
    [
        ("safe.localhost", True, None),
        ("safe.localhost", False, "certificate verify failed"),
        ("other.localhost", True, "VerificationError"),
    ],
)
def test_certificates_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, refusal: str | None
) -> None:
    pem = tmp_path / "cert.pem"
    certificate(pem, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with Site(lambda url: Answer(b"<p>safe") if url.endswith("/") else None) as site:
        site.secure(context)
        safe = source(seeds=["https://safe.localhost/"], scope=["https://safe"])
        assert crawl(job(tmp_path, site, safe, retries=0)) == (0, "")
    outcome = read_outcome(tmp_path / "site")
    assert len(outcome.fetched) == (0 if refusal else 2)
    for row in outcome.not_fetched:
        assert row.kind != "robots" or (refusal and refusal in row.detail)
