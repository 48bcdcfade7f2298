"""A teacher behind a batch API: every way in which a batch ends, and exactly once whatever is killed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.synthesis import Teacher
from synth.request import Request, Response, body_of, request_key
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.batch import BatchTeacher, Limits
from synth.teachers.batch_file import Lot, digest_of, line_of, outcome_of
from tests.batch_server import KEY, BatchServer, Ending, Fault, Work, answered, faithful, sound, unanswered


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., BatchServer]]:
    """Starts servers; all are stopped at the end."""
    monkeypatch.setenv("BATCH_KEY", KEY)
    servers: list[BatchServer] = []

    def start(
        work: Work = faithful, looks: int = 1, fault: Fault | None = None, late: Fault | None = None
    ) -> BatchServer:
        servers.append(BatchServer(work, looks, fault, late))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def teacher_at(url: str, **settings: Any) -> Teacher:
    return Teacher(model="m", api="batch", urls=[url], api_key_variable="BATCH_KEY", timeout_s=10.0, **settings)


def requests_of(count: int, first: int = 0) -> list[Request]:
    teacher = teacher_at("http://127.0.0.1:1/v1")
    made = []
    for number in range(first, first + count):
        body = body_of(teacher, [{"role": "user", "content": f"page {number}: ünïcode \u2028 \x85"}], 16)
        made.append(Request(request_key(teacher, body), "t", json.dumps(body).encode(), "", 10))
    return made


_LIMITS = Limits()


class Client:
    """A teacher whose time passes only while it waits, and what it brought."""

    def __init__(self, url: str, limits: Limits = _LIMITS, patience_s: float = 600.0, **settings: Any) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.kept: list[Response] = []
        self.stop = threading.Event()
        scope = settings.pop("scope", "")
        self.teacher = BatchTeacher(
            "t", teacher_at(url, **settings), patience_s, self.said.append, scope, limits, self._sleep, lambda: self.now
        )

    def _sleep(self, stop: threading.Event, seconds: float) -> None:
        self.now += seconds

    def ask(self, requests: list[Request]) -> list[Unanswered]:
        return self.teacher.answer(iter(requests), self.kept.append, self.stop)

    def contents(self) -> dict[str, str]:
        """What was kept by key: texts of answers, statuses of refusals. No key is kept twice."""
        assert len({response.key for response in self.kept}) == len(self.kept)
        return {
            each.key: json.loads(each.body)["choices"][0]["message"]["content"]
            if each.status == 200
            else str(each.status)
            for each in self.kept
        }


def texts_of(requests: list[Request]) -> dict[str, str]:
    return {each.key: json.loads(each.body)["messages"][-1]["content"] for each in requests}


def flat(value: object) -> str:
    return str(value)


def test_answers_are_joined_by_key_and_not_by_order(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(10)
    client = Client(server.url, Limits(requests=4, batches=2))
    assert client.ask(requests) == []
    assert client.contents() == texts_of(requests)
    assert len(server.batches) == 3 and set(server.accepted.values()) == {1}
    assert server.keys_seen == {f"Bearer {KEY}"}
    assert not [name for name in server.files if name.startswith("file-")]  # what is collected is tidied up


def test_batches_carry_the_hash_of_their_keys(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(5)
    Client(server.url).ask(requests)
    (batch,) = server.batches.values()
    assert batch["metadata"]["syscorpus"] == digest_of(each.key for each in reversed(requests))


def test_files_are_bounded_in_bytes(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(6)
    size = len(line_of(requests[0]))
    client = Client(server.url, Limits(size=2 * size + 10))
    assert client.ask(requests) == []
    assert len(server.batches) == 3 and client.contents() == texts_of(requests)


def test_no_more_requests_are_taken_than_can_be_asked(serve: Callable[..., BatchServer]) -> None:
    server, taken = serve(looks=3), []

    def source() -> Iterator[Request]:
        for request in requests_of(12):
            taken.append(request)
            yield request

    most = 0
    client = Client(server.url, Limits(requests=2, batches=2))

    def keep(response: Response) -> None:
        nonlocal most
        most = max(most, len(taken) - len(client.kept))
        client.kept.append(response)

    assert client.teacher.answer(source(), keep, client.stop) == []
    assert len(client.kept) == 12 and most <= 5


def test_azure_is_asked_with_its_header_and_waits_for_its_files(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(3)
    server.pending = 3
    client = Client(server.url, api_key_header="api-key")
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert server.keys_seen == {KEY} and server.calls["GET", "/files/ID"] == 3


def test_refused_requests_are_kept_as_refusals(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        refusals = [
            answered(line, status, {"error": {"message": "no"}})
            for line, status in zip(lines, (400, 413, 422), strict=False)
        ]
        return Ending(output=[answered(line) for line in lines[3:]], errors_file=refusals)

    server, requests = serve(work), requests_of(5)
    client = Client(server.url)
    assert client.ask(requests) == []
    kept = client.contents()
    assert [kept[each.key] for each in requests[:3]] == ["400", "413", "422"]
    assert json.loads(client.kept[-1].body) == {"error": {"message": "no"}} and set(server.accepted.values()) == {1}


def test_a_parameter_that_is_wrong_for_all_stops_and_leaves_no_refusals(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        return Ending(
            errors_file=[answered(line, 400, {"error": {"message": "unknown parameter top_q"}}) for line in lines]
        )

    server = serve(work)
    for _ in range(2):  # what an earlier run left is no reason, and is asked again
        client = Client(server.url)
        with pytest.raises(
            TeacherStopped, match=r"^teacher t \(http.*\): refuses each of 25 requests and answers none: .*top_q"
        ):
            client.ask(requests_of(25))
        assert client.kept == []
    assert len(server.batches) == 2


@pytest.mark.parametrize("status", ["expired", "cancelled", "completed"])
def test_what_a_batch_left_is_asked_again_and_what_it_did_is_kept(
    serve: Callable[..., BatchServer], status: str
) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        if number:
            return faithful(lines, number)
        return Ending(status, [answered(line) for line in lines[::2]], [unanswered(line) for line in lines[1:4:2]])

    server, requests = serve(work), requests_of(8)
    client = Client(server.url)
    assert client.ask(requests) == []
    assert client.contents() == texts_of(requests)
    assert [server.accepted[each.key] for each in requests] == [1, 2] * 4
    assert {each.attempts for each in client.kept} == {1, 2}


def test_a_request_that_fails_in_three_batches_stays_unanswered(serve: Callable[..., BatchServer]) -> None:
    bad = requests_of(4)[1].key

    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        fails = [
            answered(line, 500, {"error": {"message": "oops", "code": "server_error"}})
            for line in lines
            if line["custom_id"] == bad
        ]
        return Ending(output=[answered(line) for line in lines if line["custom_id"] != bad], errors_file=fails)

    server, requests = serve(work), requests_of(4)
    client = Client(server.url)
    assert client.ask(requests) == [Unanswered(bad, "server_error, in 3 batches")]
    assert len(client.kept) == 3 and server.accepted[bad] == 3


def test_half_answers_and_errors_with_status_200_are_asked_again(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        if number:
            return faithful(lines, number)
        bodies: list[Any] = [
            {"error": {"message": "CUDA out of memory"}},
            {"choices": []},
            "text",
            sound("x") | {"choices": [{"message": {}}]},
        ]
        return Ending(output=[answered(line, 200, body) for line, body in zip(lines, bodies, strict=False)])

    server, requests = serve(work), requests_of(4)
    client = Client(server.url)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {2}


def test_lines_that_are_none_of_ours_or_no_lines_or_stand_twice_do_no_harm(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        good = [answered(line) for line in lines]
        other = [
            answered({"custom_id": "../../etc/passwd", "body": lines[0]["body"]}),
            {"custom_id": 7},
            [],
            None,
            {"custom_id": None},
        ]
        return Ending(
            output=[
                b"\n",
                b"{\n",
                b"\xff\xfe\n",
                b"[" * 100_000 + b"\n",
                *other,
                *good,
                *good,
                *[answered(line, 400, {}) for line in lines],
                good[0],
            ]
        )

    server, requests = serve(work), requests_of(3)
    client = Client(server.url)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}


def test_a_line_without_end_costs_its_request_alone(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        if number:
            return faithful(lines, number)
        return Ending(output=[b'{"custom_id": "' + b"x" * (35 << 20) + b"\n", *[answered(line) for line in lines[1:]]])

    server, requests = serve(work), requests_of(3)
    client = Client(server.url)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert [server.accepted[each.key] for each in requests] == [2, 1, 1]


def test_a_batch_that_fails_its_checks_stops_with_the_servers_reason(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        return Ending(
            "failed", errors=[{"code": "model_not_found", "message": f"no model m\nfor {KEY}\x1b[31m", "line": 1}]
        )

    client = Client(serve(work).url)
    with pytest.raises(TeacherStopped) as stopped:
        client.ask(requests_of(3))
    assert re.fullmatch(
        r"teacher t \(http://[^ ]+\): batch batch_0 failed: model_not_found: no model m for \*\*\* \[31m \(line 1\)",
        flat(stopped.value),
    )


def test_a_full_queue_makes_batches_fewer_and_smaller(serve: Callable[..., BatchServer]) -> None:
    """The server takes three requests at a time, over all batches."""

    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        going = [
            each
            for each in server.batches.values()
            if each["status"] in ("validating", "in_progress") and each["_ending"].status == "completed"
        ]
        if len(lines) + sum(len(each["_ending"].output) for each in going) > 3:
            return Ending(
                "failed", errors=[{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
            )
        return faithful(lines, number)

    server = serve(work)
    requests = requests_of(20)
    client = Client(server.url, Limits(requests=16, batches=4))
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}
    assert any("token_limit_exceeded" in line for line in client.said)


def test_a_queue_that_stays_full_stops_in_the_end(serve: Callable[..., BatchServer]) -> None:
    def fault(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        return (
            (400, b'{"error": {"code": "token_limit_exceeded", "message": "full"}}', {})
            if (method, path) == ("POST", "/batches")
            else None
        )

    client = Client(serve(fault=fault).url)
    with pytest.raises(TeacherStopped, match="full; run again when other batches have ended"):
        client.ask(requests_of(4))
    assert client.now > 600


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key {KEY}", "code": "invalid_api_key"}},
            r"HTTP 401 \(invalid_api_key\): Incorrect API key \*\*\*; check its key",
        ),
        (403, {}, "HTTP 403; check its key"),
        (404, {}, "HTTP 404; check its URL, and whether it has a batch API"),
        (
            429,
            {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}},
            r"HTTP 429 \(insufficient_quota\): You exceeded your quota; its quota has ended",
        ),
        (302, {}, "HTTP 302"),
    ],
)
@pytest.mark.parametrize("call", [("GET", "/batches"), ("POST", "/files"), ("POST", "/batches")])
def test_a_teacher_that_answers_nobody_stops_in_one_line(
    serve: Callable[..., BatchServer], call: tuple[str, str], status: int, body: Any, says: str
) -> None:
    def fault(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        return (status, json.dumps(body).encode(), {"Location": "/v1/elsewhere"}) if (method, path) == call else None

    client = Client(serve(fault=fault).url)
    with pytest.raises(TeacherStopped, match=rf"^teacher t \(http://[^ ]*\): {says}$"):
        client.ask(requests_of(3))
    assert client.now == 0


def test_a_key_that_is_wrong_for_the_model_alone_stops_too(serve: Callable[..., BatchServer]) -> None:
    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        error = {
            "error": {"message": "The API deployment for this resource does not exist.", "code": "DeploymentNotFound"}
        }
        return Ending(errors_file=[answered(line, 404, error) for line in lines])

    with pytest.raises(TeacherStopped, match="DeploymentNotFound: The API deployment"):
        Client(serve(work).url).ask(requests_of(3))


def test_a_missing_key_is_told_before_anything_is_asked(
    serve: Callable[..., BatchServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.delenv("BATCH_KEY")
    with pytest.raises(TeacherStopped, match="set BATCH_KEY to its key"):
        Client(server.url).ask(requests_of(1))
    assert not server.calls


def test_errors_while_polling_uploading_and_fetching_pass(serve: Callable[..., BatchServer]) -> None:
    def fault(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        faults: list[tuple[int, bytes, dict[str, str]] | None] = [
            (500, b'{"error": {"message": "oops"}}', {}), (429, b"", {"Retry-After": "7"}), (0, b"", {}),
            (503, b"<html>", {}), (200, b"<html>not me</html>", {}), (200, b'{"id": "cut', {"Content-Length": "5000"}), None,
        ]  # fmt: skip
        return None if method == "DELETE" else faults[number % len(faults)]

    server, requests = serve(fault=fault), requests_of(7)
    client = Client(server.url, Limits(requests=3, batches=2), patience_s=1e6)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}
    assert any("answers again" in line for line in client.said) and all(
        "\n" not in line and KEY not in line for line in client.said
    )


def test_a_download_that_is_cut_off_is_fetched_again_and_not_asked_again(serve: Callable[..., BatchServer]) -> None:
    def late(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        if path != "/files/ID/content" or number > 1:
            return None
        whole = server.files["batch_0-output_file_id"]
        return 200, whole[: len(whole) // 2], {"Content-Length": str(len(whole))}

    server = serve(late=late)
    requests = requests_of(9)
    client = Client(server.url)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}


@pytest.mark.parametrize("status", [0, 500, 504])
def test_a_batch_whose_creation_was_not_heard_of_is_not_created_twice(
    serve: Callable[..., BatchServer], status: int
) -> None:
    def late(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        return (status, b"", {}) if (method, path, number) == ("POST", "/batches", 0) else None

    server, requests = serve(late=late), requests_of(5)
    client = Client(server.url, Limits(requests=3))
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}


def test_a_server_that_is_gone_stops_after_patience_and_the_next_run_collects(
    serve: Callable[..., BatchServer],
) -> None:
    gone = True

    def fault(method: str, path: str, number: int) -> tuple[int, bytes, dict[str, str]] | None:
        return (503, b"", {}) if gone and path == "/batches/ID" else None

    server, requests = serve(fault=fault), requests_of(5)
    client = Client(server.url)
    with pytest.raises(
        TeacherStopped, match=r"does not answer \(HTTP 503\); batches under way go on there; run again to collect them"
    ):
        client.ask(requests)
    assert 600 <= client.now < 800 and client.kept == []
    gone = False
    again = Client(server.url)
    assert again.ask(requests) == [] and again.contents() == texts_of(requests)
    assert (
        set(server.accepted.values()) == {1}
        and "1 batches of an earlier run are collected (5 requests)" in again.said[0]
    )


def test_a_run_that_is_stopped_leaves_its_batches_to_the_next(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(looks=10**9), requests_of(10)
    client = Client(server.url, Limits(requests=3, batches=2))
    server.hook = lambda point: client.stop.set() if point.startswith("GET /batches/ID 5") else None
    assert client.ask(requests) == [] and client.kept == []
    server.looks, server.hook = 0, lambda point: None
    again = Client(server.url, Limits(requests=3, batches=2))
    assert again.ask(requests) == [] and again.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {1}


def test_a_run_that_waits_for_an_earlier_ones_batch_sends_the_rest_meanwhile(serve: Callable[..., BatchServer]) -> None:
    """Of the earlier batch some requests are missing at its end, and some are asked for by nobody now."""
    old = requests_of(6)

    def work(lines: list[dict[str, Any]], number: int) -> Ending:
        if number:
            return faithful(lines, number)
        return Ending("expired", [answered(line) for line in lines[:4]])

    server = serve(work, looks=5)
    first = Client(server.url)
    server.hook = lambda point: first.stop.set() if point.startswith("GET /batches/ID 1") else None
    assert first.ask(old) == []
    again = Client(server.url, Limits(requests=4))
    wanted = old[2:] + requests_of(3, 100)
    assert again.ask(wanted) == []
    assert again.contents() == texts_of(old[:4] + wanted)
    assert [server.accepted[each.key] for each in old] == [1, 1, 1, 1, 2, 2]


def test_batches_of_another_store_or_model_are_left_alone(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(3)
    first = Client(server.url, scope="here")
    server.hook = lambda point: first.stop.set() if point.startswith("after POST /batches") else None
    first.ask(requests)
    server.hook = lambda point: None
    other = Client(server.url, scope="there")
    assert other.ask(requests) == [] and other.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {2}
    again = Client(server.url, scope="here")
    assert again.ask(requests) == [] and again.contents() == texts_of(requests)
    assert set(server.accepted.values()) == {2}


def test_a_server_that_keeps_no_metadata_is_told_of(serve: Callable[..., BatchServer]) -> None:
    server, requests = serve(), requests_of(3)
    server.metadata = False
    client = Client(server.url)
    assert client.ask(requests) == [] and client.contents() == texts_of(requests)
    assert any("keeps no metadata" in line for line in client.said)


_CLIENT = """
import json, sys, threading
from manifests.synthesis import Teacher
from synth.request import Request
from synth.teachers.batch import BatchTeacher, Limits
url, store = sys.argv[1:]
kept = {json.loads(line)[0] for line in open(store)}
requests = [Request(key, "t", body.encode(), "", 1) for key, body in json.load(sys.stdin) if key not in kept]
teacher = Teacher(model="m", api="batch", urls=[url], timeout_s=10.0)
with open(store, "a") as out:
    def keep(response):
        out.write(json.dumps([response.key, response.status, response.body.decode()]) + "\\n")
        out.flush()
    asked = BatchTeacher("t", teacher, 60.0, limits=Limits(requests=4, batches=2), sleep=lambda stop, s: stop.wait(0.01))
    print(len(asked.answer(iter(requests), keep, threading.Event())))
"""


def _run_client(url: str, store: Path, requests: list[Request]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CLIENT, url, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin
    process.stdin.write(json.dumps([(each.key, each.body.decode()) for each in requests]))
    process.stdin.close()
    process.stdin = None
    return process


@pytest.mark.parametrize(
    "points",
    [
        ["POST /files 0", "POST /batches 0"],
        ["after POST /batches 0", "after POST /batches 1", "GET /batches/ID 3"],
        ["GET /files/ID/content 0", "after GET /files/ID/content 2", "DELETE /files/ID 0"],
        ["after DELETE /files/ID 0", "POST /batches 3", "after POST /batches 4"],
    ],
)
def test_killed_at_any_point_each_request_is_paid_for_once(
    serve: Callable[..., BatchServer], tmp_path: Path, points: list[str]
) -> None:
    """Each run but the last is killed by SIGKILL when the server comes to a point."""
    server, requests = serve(), requests_of(18)
    store = tmp_path / "store"
    store.touch()
    for point in points:
        process = _run_client(server.url, store, requests)

        def kill(reached: str, point: str = point, process: Any = process) -> None:
            if reached == point or (
                reached.split()[:-1] == point.split()[:-1] and int(reached.split()[-1]) > int(point.split()[-1])
            ):
                os.kill(process.pid, signal.SIGKILL)
                server.hook = lambda point: None
                process.wait()

        server.hook = kill
        output, errors = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, errors
        server.hook = lambda point: None
    process = _run_client(server.url, store, requests)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "0\n"), errors
    kept = [json.loads(line) for line in store.read_text().splitlines()]
    assert {key: json.loads(body)["choices"][0]["message"]["content"] for key, _, body in kept} == texts_of(requests)
    assert server.accepted == {each.key: 1 for each in requests}


def test_a_body_of_several_lines_becomes_one() -> None:
    body = json.dumps({"model": "m", "messages": []}, indent=2).encode()
    line = line_of(Request("k" * 64, "t", body, "", 1))
    assert line.count(b"\n") == 1 and json.loads(line)["body"] == json.loads(body)


@given(st.binary(max_size=200))
def test_no_line_of_results_breaks_the_reader(line: bytes) -> None:
    outcome_of(line)


def test_a_lot_keeps_its_lines_on_disk_by_key() -> None:
    lot = Lot()
    for number in range(5):
        lot.add(f"{number}", f"line {number}\n".encode())
    lot.drop("0")
    assert "0" not in lot and lot.pop() == ("1", b"line 1\n") and len(lot) == 3 and lot.keys == ["2", "3", "4"]
    lot.close()


def test_the_hash_of_keys_knows_no_order() -> None:
    assert digest_of(["b", "a"]) == digest_of(["a", "b"]) == hashlib.sha256(b"a\nb\n").hexdigest()
