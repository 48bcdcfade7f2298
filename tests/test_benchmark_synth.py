"""The benchmark of synth beside peers, over a few requests: each asks and writes, and its figures are what they say."""

from __future__ import annotations

import json
import urllib.request

import pytest

from benchmarks.synth import __main__ as part
from benchmarks.synth import client, peers
from synth.request import Request
from tests.hostile_teacher import HostileTeacher, rewrite

WITHOUT_RAY = [way for way in peers.WAYS if way.needs != ("ray",)]


def requests(number: int) -> list[Request]:
    return client.requests_of(client.teacher_at("http://127.0.0.1/v1", 1), number)


def few(monkeypatch, *ways: peers.Way) -> None:
    """Only these ways, with few requests."""
    monkeypatch.setattr(peers, "WAYS", tuple(way._replace(at_once=8, in_slots=8) for way in ways))
    monkeypatch.setattr(peers, "AT_FAULTS", tuple(way for way in ways if way.read))
    monkeypatch.setattr(peers, "_ROUNDS", 1)


@pytest.mark.parametrize("way", WITHOUT_RAY, ids=lambda way: way.name)
def test_a_way_asks_each_request_once_and_is_measured(way):
    if way.missing():
        pytest.skip("not installed")
    found = peers.asked(way, 20, "--slots", "2", "--seconds", "0.01", "0.01")
    assert found["requests"] == 20
    assert 0.0 < found["busy"] <= 1.0
    # Twenty answers of a hundredth of a second, two at a time, take a tenth.
    assert 0.0 < found["per_s"] <= 200.0
    assert found["start_s"] >= 0.0


@pytest.mark.slow
def test_rays_ways_ask_each_request_once_and_are_measured():
    ways = [way for way in peers.WAYS if way not in WITHOUT_RAY]
    with peers._ray_started():
        found = [peers.asked(way, 12, *client.BUSY) for way in ways]
    assert [each["name"] for each in found] == [way.name for way in ways]
    # By default the requests of a batch are asked one after another; of small batches many are at the server.
    assert found[0]["most_in_flight"] < found[-1]["most_in_flight"] <= 3


def test_what_a_way_leaves_out_is_no_figure():
    def half(url, asked, folder):
        ours.run(url, asked[::2], folder)

    ours = next(way for way in peers.WAYS if way.name == peers.OURS)
    with pytest.raises(RuntimeError, match="ours, to the store has not written the answer to each of 8 requests"):
        peers.asked(ours._replace(run=half), 8)


@pytest.mark.parametrize("fault", peers.FAULTS)
def test_ours_takes_no_error_for_an_answer_and_loses_none(fault):
    found = peers.at_fault(peers.AT_FAULTS[0], fault)
    assert (found["errors"], found["lost"]) == (0, 0)
    assert (found["without"], found["ended"]) == ((8, "stopped") if fault == "401" else (0, "done"))


def naive(url, asked, folder):
    """Whatever comes back is written, but for the first row; and then it dies."""
    texts = []
    for each in asked:
        request = urllib.request.Request(f"{url}/chat/completions", each.body)
        try:
            with urllib.request.urlopen(request) as response:
                texts.append(json.load(response)["choices"][0]["message"]["content"])
        except urllib.error.HTTPError as error:
            texts.append(error.read().decode())
    (folder / "texts").write_text(json.dumps(texts[1:]))
    raise ValueError("it is over")


def test_errors_among_the_rows_lost_answers_and_the_end_of_a_job_are_counted():
    way = peers.Way("naive", naive, lambda asked, folder: json.loads((folder / "texts").read_text()))
    found = [peers.at_fault(way, fault) for fault in peers.FAULTS]
    # Of eight requests the first and the fifth meet the fault; the row of the first is left out.
    passing = {"errors": 1, "lost": 0, "without": 2}
    assert [{name: each[name] for name in passing} for each in found] == [
        passing,
        passing,
        {"errors": 7, "lost": 0, "without": 8},
    ]
    assert {each["ended"] for each in found} == {"died: ValueError"}


def test_an_answer_that_is_not_written_is_lost():
    way = peers.Way("naive", naive, lambda asked, folder: json.loads((folder / "texts").read_text())[:-1])
    assert peers.at_fault(way, "500")["lost"] == 1


def test_a_peer_that_is_not_installed_is_skipped_in_a_line_and_the_others_are_measured(monkeypatch):
    absent = peers.Way("absent", naive, None, ("no_such_module",))
    few(monkeypatch, *WITHOUT_RAY[:2], absent)
    lines: list[str] = []
    found = peers.measure(lines.append)
    assert lines[0] == "skipped absent: no_such_module is not installed: make .venv/.bench"
    assert [each["name"] for each in found["at_once"]] == [peers.BARE, peers.OURS]
    assert [each["fault"] for each in found["faults"]] == list(peers.FAULTS)
    assert part._beside(found) == []
    assert part._sound(found["faults"]).holds


def test_ours_is_held_beside_the_best_peer():
    def rows(figure, ours, **others):
        return [{"name": name, figure: each} for name, each in ({peers.BARE: 9e9, peers.OURS: ours} | others).items()]

    found = {"at_once": rows("per_s", 100.0, a=99.0, b=50.0), "in_slots": rows("busy", 0.95, a=0.1, b=0.97)}
    fast, busy = part._beside(found)
    assert (fast.figure, fast.holds) == ("1.01, a", True)
    assert (busy.figure, busy.holds) == ("95.0% beside 97.0%, b", False)


def test_an_error_taken_for_an_answer_is_no_success():
    rows = [
        {"name": peers.OURS, "fault": fault, "errors": 0, "lost": 0, "without": 0, "ended": end}
        for fault, end in (("500", "done"), ("429", "done"), ("401", "stopped"))
    ]
    assert part._sound(rows).holds
    for change in ({"errors": 1}, {"lost": 1}, {"without": 1}, {"ended": "died: ValueError"}):
        assert not part._sound([rows[0] | change, *rows[1:]]).holds


def test_the_server_closes_where_it_is_asked_to_and_lists_its_model():
    with HostileTeacher() as server:
        body = requests(1)[0].body
        # urllib asks to close, and reads until the end.
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}/chat/completions", body)) as response:
            assert json.load(response)["choices"][0]["message"]["content"] == rewrite(json.loads(body))
            assert response.read() == b""
        with urllib.request.urlopen(f"{server.url}/models") as response:
            assert json.load(response)["data"][0]["id"] == "m"
        assert 0.0 < server.counts.first <= server.counts.last
        assert server.counts.asked == 1
