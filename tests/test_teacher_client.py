"""A teacher behind servers: what may pass is asked again, what never will is not, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.synthesis import Teacher
from synth.answer import answer_of
from synth.request import Request, Response, body_of, request_key
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.clock import RealClock
from synth.teachers.limiter import Minute
from synth.teachers.openai import OpenAITeacher
from synth.teachers.rates import retry_after, seconds_of
from synth.teachers.routes import ranked
from tests.hostile_teacher import FAULTS, HostileTeacher, Reply, completion, error


class Quick:
    """A clock on which waiting takes no time: it goes on by what it was asked to wait."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> float:
        return time.monotonic() + self.skipped

    def wall(self) -> float:
        return time.time() + self.skipped

    async def sleep(self, seconds: float) -> None:
        until = self.now() + seconds
        await asyncio.sleep(0)
        self.skipped += max(0.0, until - self.now())  # others may have waited as long meanwhile


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileTeacher]]:
    servers: list[HostileTeacher] = []

    def start(**settings: Any) -> HostileTeacher:
        servers.append(HostileTeacher(**settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def requests_of(teacher: Teacher, number: int, of_route: int = 1) -> list[Request]:
    found = []
    for index in range(number):
        body = body_of(teacher, [{"role": "user", "content": f"Say {index}."}], 64)
        found.append(Request(request_key(teacher, body), "m", json.dumps(body).encode(), str(index // of_route), 50))
    return found


class Asked:
    """Asks a teacher for so many answers."""

    def __init__(self, *servers: HostileTeacher, number: int = 1, patience_s: float = 60.0, clock: Any = None, of_route: int = 1, **settings: Any) -> None:  # fmt: skip
        self.kept: list[Response] = []
        self.said: list[str] = []
        self.clock = clock or Quick()
        self.teacher = Teacher(model="m", urls=[each.url for each in servers], **settings)
        self.requests = requests_of(self.teacher, number, of_route)
        self._asks = OpenAITeacher("small", self.teacher, patience_s, self.said.append, self.clock)

    def __call__(self, stop: threading.Event | None = None) -> list[Unanswered]:
        return self._asks.answer(iter(self.requests), self.kept.append, stop or threading.Event())

    @property
    def statuses(self) -> list[int]:
        return [each.status for each in self.kept]


def scripted(first: Reply, times: int = 1) -> Callable[[dict[str, Any], int], Reply | None]:
    """This reply so many times, then an answer."""
    return lambda request, before: first if before < times else Reply(body=completion("at last"))


@pytest.mark.parametrize("name", FAULTS)
def test_what_may_pass_is_asked_again(hostile, name):
    server = hostile(script=scripted(FAULTS[name], 2))
    asked = Asked(server)
    assert asked() == []
    (kept,) = asked.kept
    assert (kept.status, answer_of(kept.body).text, kept.attempts) == (200, "at last", 3)
    assert server.counts.asked == 3


@pytest.mark.parametrize(
    "late",
    [
        Reply(hangs=True),
        Reply(body=completion("too slow"), drip_s=0.05),
        Reply(body=completion("too slow"), drip_s=0.05, chunked=True),
    ],
    ids=["hangs", "drips", "drips in chunks"],
)
def test_an_answer_that_takes_too_long_is_given_up_and_asked_for_again(hostile, late):
    def script(request: dict[str, Any], before: int) -> Reply:
        slow = not before and "Say 3." in request["messages"][0]["content"]
        return late if slow else Reply(body=completion("in time"))

    server = hostile(script=script)
    asked = Asked(server, number=20, concurrency=4, timeout_s=0.5)
    assert asked() == []
    assert {answer_of(each.body).text for each in asked.kept} == {"in time"}
    assert sorted(each.attempts for each in asked.kept) == [1] * 19 + [2]
    assert server.counts.asked == 21


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_is_kept_as_such_and_not_asked_again(hostile, status):
    def script(request: dict[str, Any], before: int) -> Reply:
        if "Say 1." in request["messages"][0]["content"]:
            return Reply(status, error("the prompt is too long"))
        return Reply(body=completion("yes"))

    server = hostile(script=script)
    asked = Asked(server, number=3)
    assert asked() == []
    assert sorted(asked.statuses) == [200, 200, status]
    assert server.counts.asked == 3


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(401, error("Incorrect API key provided: sk-abcdef123456")), "HTTP 401"),
        (Reply(403, error("no access")), "HTTP 403"),
        (Reply(404, error("The model `m` does not exist", "model_not_found")), "HTTP 404"),
        (Reply(400, error("The model `m` does not exist", "model_not_found")), "does not exist"),
        (Reply(402, error("pay first")), "HTTP 402"),
        (Reply(429, error("You exceeded your current quota", "insufficient_quota")), "quota"),
        (Reply(302, b"", (("Location", "http://127.0.0.1:1/"),)), "HTTP 302"),
    ],
)
def test_a_server_that_answers_nobody_stops_the_teacher_in_one_line(hostile, reply, words):
    server = hostile(script=lambda request, before: reply)
    asked = Asked(server, number=50, concurrency=4)
    with pytest.raises(TeacherStopped) as caught:
        asked()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "sk-abcdef" not in str(caught.value)
    assert asked.kept == []
    assert server.counts.asked <= 8


def test_a_parameter_that_no_request_may_have_stops_it_and_leaves_no_tombstones(hostile):
    server = hostile(script=lambda request, before: Reply(400, error("Unrecognized request argument: top_p")))
    asked = Asked(server, number=100, concurrency=4)
    with pytest.raises(TeacherStopped, match="Unrecognized request argument"):
        asked()
    assert asked.kept == []
    assert server.counts.asked < 60


def test_a_request_that_never_gets_an_answer_is_told_and_the_others_are_kept(hostile):
    def script(request: dict[str, Any], before: int) -> Reply:
        broken = "Say 3." in request["messages"][0]["content"]
        return FAULTS["empty choices"] if broken else Reply(body=completion("yes"))

    asked = Asked(hostile(script=script), number=40)
    (left,) = asked()
    assert left.key == asked.requests[3].key
    assert "choices" in left.reason
    assert asked.statuses == [200] * 39


def test_a_server_that_is_away_for_an_hour_is_told_in_lines_and_waited_for_no_longer_than_patience(hostile):
    server = hostile()
    server.go_away()
    clock = Quick()
    asked = Asked(server, number=30, patience_s=900.0, clock=clock)
    begin = clock.now()
    with pytest.raises(TeacherStopped, match="run again to go on") as caught:
        asked()
    assert "\n" not in str(caught.value)
    assert 900 <= clock.now() - begin < 3600
    assert asked.said
    assert all("\n" not in line for line in asked.said)
    server.come_back()
    assert Asked(server, number=30)() == []


def test_a_server_that_comes_back_in_time_is_gone_on_with(hostile):
    away = itertools.count()

    def script(request: dict[str, Any], before: int) -> Reply | None:
        return FAULTS["503"] if 20 <= next(away) < 29 else None

    asked = Asked(hostile(script=script), number=100, patience_s=3600.0, concurrency=4, clock=RealClock())
    assert asked() == []
    assert asked.statuses == [200] * 100


def test_a_server_that_asks_for_more_patience_than_there_is_stops_it(hostile):
    server = hostile(script=lambda request, before: Reply(429, error("tomorrow"), (("Retry-After", "86400"),)))
    with pytest.raises(TeacherStopped):
        Asked(server, patience_s=900.0)()


def test_a_quota_that_ends_keeps_what_was_answered_until_then(hostile):
    server = hostile(quota=25)
    asked = Asked(server, number=100, concurrency=4)
    with pytest.raises(TeacherStopped, match="quota"):
        asked()
    assert asked.statuses == [200] * sum(server.counts.answers.values())
    assert len(asked.kept) >= 25


def test_of_two_servers_one_that_is_away_leaves_its_requests_to_the_other(hostile):
    one, other = hostile(), hostile()
    other.go_away()
    asked = Asked(one, other, number=200, of_route=4)
    assert asked() == []
    assert asked.statuses == [200] * 200
    assert one.counts.asked == 200


def test_requests_that_share_a_prefix_go_to_one_server(hostile):
    one, other = hostile(), hostile()
    asked = Asked(one, other, number=200, of_route=4)
    assert asked() == []

    def routes(server: HostileTeacher) -> set[int]:
        return {int(each["messages"][0]["content"].split()[1][:-1]) // 4 for each in server.requests}

    assert routes(one) & routes(other) == set()
    assert routes(one) and routes(other)


def test_nothing_is_answered_twice_whatever_fails(hostile):
    server = hostile(faults=0.2, seed=3)
    asked = Asked(server, number=600, concurrency=32)
    assert asked() == []
    assert sorted(each.key for each in asked.kept) == sorted(each.key for each in asked.requests)
    assert max(server.counts.answers.values()) == 1


def test_no_more_are_in_flight_than_the_recipe_allows(hostile):
    server = hostile(seconds=(0.001, 0.003))
    Asked(server, number=300, concurrency=7)()
    assert server.counts.most_in_flight <= 7


def test_a_teacher_that_is_told_to_stop_takes_no_more_and_keeps_what_came(hostile):
    stop = threading.Event()
    server = hostile(script=lambda request, before: stop.set())
    asked = Asked(server, number=5000, concurrency=4, clock=RealClock())
    asked(stop)
    assert len(asked.kept) == sum(server.counts.answers.values()) < 5000


def test_the_key_travels_as_the_server_wants_it_and_is_in_no_line(hostile, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "the-secret-key")
    server = hostile(key="the-secret-key")
    assert Asked(server, api_key_variable="TEACHER_KEY")() == []
    asked = Asked(server, api_key_variable="TEACHER_KEY", api_key_header="api-key")
    with pytest.raises(TeacherStopped) as caught:
        asked()
    assert "the-secret-key" not in str(caught.value)
    assert server.headers[-1]["api-key"] == "the-secret-key"
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(TeacherStopped, match="TEACHER_KEY"):
        Asked(server, api_key_variable="TEACHER_KEY")


def test_a_completion_endpoint_is_asked_for_completions(hostile):
    body = json.dumps({"choices": [{"index": 0, "text": "yes", "finish_reason": "stop"}]}).encode()
    server = hostile(script=lambda request, before: Reply(body=body))
    asked = Asked(server, api="completion")
    assert asked() == []
    assert server.paths == ["/v1/completions"]
    assert answer_of(asked.kept[0].body).text == "yes"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_answer_in_json_that_is_odd_is_an_answer(hostile, encoding):
    body = json.dumps(json.loads(completion("half \ud83d of a smile"))).encode(encoding)
    asked = Asked(hostile(script=lambda request, before: Reply(body=body)))
    assert asked() == []
    assert asked.kept[0].body == body
    assert answer_of(body).text == "half ? of a smile"


def test_what_keeps_an_answer_from_being_kept_ends_it_and_is_raised(hostile):
    server = hostile()
    asked = Asked(server, number=500, concurrency=4)
    kept = []

    def keep(response: Response) -> None:
        if len(kept) == 20:
            raise OSError("no space left on device")
        kept.append(response)

    with pytest.raises(OSError, match="no space"):
        OpenAITeacher("m", asked.teacher, 60.0).answer(iter(asked.requests), keep, threading.Event())
    assert len(kept) == 20
    assert server.counts.asked <= 25


def test_requests_that_cannot_be_read_end_it_and_what_came_is_kept(hostile):
    asked = Asked(hostile(), number=30)

    def broken() -> Iterator[Request]:
        yield from asked.requests
        raise OSError("a plan is damaged")

    with pytest.raises(OSError, match="damaged"):
        OpenAITeacher("m", asked.teacher, 60.0).answer(broken(), asked.kept.append, threading.Event())
    assert set(asked.statuses) <= {200}


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 400)), max_size=60), st.integers(100, 1000))
def test_no_minute_has_more_tokens_than_the_limit(steps, limit):
    minute, now = Minute(limit), 0.0
    spent: list[tuple[float, int]] = []
    for gap, cost in steps:
        now += gap
        while (wait := minute.wait(cost, now)) > 0:
            now += wait
        minute.spend(cost, now)
        spent.append((now, cost))
    for moment, _ in spent:
        inside = [cost for when, cost in spent if moment - 60 < when <= moment]
        assert sum(inside) <= limit or len(inside) == 1


@given(st.text(max_size=30), st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True))
def test_a_server_that_leaves_takes_no_route_from_another(route, servers):
    first = servers[ranked(route, servers)[0]]
    for gone in servers:
        left = [each for each in servers if each != gone]
        if left and gone != first:
            assert left[ranked(route, left)[0]] == first


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360.0), ("1s", 1.0), ("20ms", 0.02), ("7", 7.0), ("soon", None), ("1s2", None), ("\xb2", None)],
)
def test_durations_are_read_as_servers_write_them(text, seconds):
    assert seconds_of(text) == seconds


def test_how_long_a_server_wants_to_be_left_alone():
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, 0.0) == 1.5
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 10.0) == 50.0
    assert retry_after({"retry-after": "never"}, 0.0) is None
