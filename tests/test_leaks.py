"""Copies of evaluation items are found with their bytes, and what every manual prints is none."""

import gzip
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.leaks import Index, ItemSet, Leak, cut, verdict
from filters.leaks.skeleton import commands
from filters.stream import read_stream
from pipelines.leak_sets import LeakSetError, read_set

PROMPT = "Archive the reports below /srv/reports that changed within 3 days and keep permissions"
ANSWER = "rsync -a -v -z --delete /srv/reports 'backup host:/pool'"
LONG = "The operator wants every orphaned snapshot of the northern cluster removed before the nightly replication window opens again"
SETS = [ItemSet("shell", [PROMPT, LONG, "Where am I"], [ANSWER, None, "pwd"])]
INDEX = Index.build(SETS)


@dataclass(frozen=True)
class Limits:
    threshold: float = 0.75
    action: str = "drop"


def find(*texts: str) -> list[list[Leak]]:
    return INDEX.find(read_stream(pa.array(texts, pa.large_string())))


def test_an_exact_copy_is_found_with_its_bytes():
    copy = f"{PROMPT}\n\n```\n{ANSWER}"
    (leak,) = find(f"Größe zählt.\n\n{copy}\n```\n\nMore.")[0]
    assert (leak.kind, leak.set, leak.item, leak.score) == ("prompt_answer", "shell", 0, 1.0)
    text = f"Größe zählt.\n\n{copy}\n```\n\nMore.".encode()
    assert text[leak.start : leak.end].decode().rstrip("'") == copy.rstrip("'")


@given(st.permutations(["-a", "-v", "-z", "--delete"]), st.sampled_from("'\""), st.sampled_from(["", "$ ", "$ sudo "]))
@settings(max_examples=30, deadline=None)
def test_order_of_options_quotes_and_prompts_of_shells_change_nothing(options, quote, mark):
    answer = f"{mark}rsync {' '.join(options)} /mnt/papers {quote}vault two:/tank{quote}"
    prompt = "archive the reports below /mnt/papers that changed within 41 days, and keep permissions."
    kinds = [leak.kind for leak in find(f"Some words.\n\n{prompt}\n\n```sh\n{answer}\n```\n")[0]]
    assert kinds == ["near_prompt_answer"]


@given(st.permutations("avz"))
def test_letters_of_options_may_be_joined(letters):
    apart = " ".join(f"-{letter}" for letter in letters)
    assert commands(f"ls -{''.join(letters)} x") == commands(f"ls {apart} x")


def test_the_words_of_a_prompt_scattered_over_other_text_are_none():
    item = ItemSet(
        "shell", ['Attach the "scratch" storage volume to "/srv/scratch"'], ["attach -t scratch none /srv/scratch"]
    )
    index = Index.build([item])
    answer = "```\nattach -t fast fastfs /srv/fast\n```"
    near = f"Attach the fast storage volume to /srv/fast:\n\n{answer}"
    apart = f"Attach the drive that the fast, striped and mirrored, storage of the node and its volume need to /srv/fast:\n\n{answer}"
    found = index.find(read_stream(pa.array([near, apart], pa.large_string())))
    assert [[leak.kind for leak in leaks] for leaks in found] == [["near_prompt_answer"], []]


def test_a_synopsis_is_no_copy_of_an_answer():
    index = Index.build([ItemSet("shell", ['Print the last 10 lines of "big-file.log"'], ["tail big-file.log"])])
    page = "tail - output the last part of files\n\n```\ntail [OPTION]... [FILE]...\n```\n\n## DESCRIPTION\n\nPrint the last 10 lines of each FILE."
    assert index.find(read_stream(pa.array([page], pa.large_string()))) == [[]]


def test_an_answer_stands_close_before_its_prompt():
    prompt = "archive the reports below /mnt/papers that changed within 41 days, and keep permissions."
    near = f"```\n{ANSWER}\n```\n\nThis is how to {prompt}"
    apart = f"```\n{ANSWER}\n```\n\n{'Then the night goes on. ' * 8}\n\nHow to {prompt}"
    assert [[leak.kind for leak in leaks] for leaks in find(near, apart)] == [["near_prompt_answer"], ["answer_only"]]


def test_a_long_run_of_a_prompt_is_a_leak_by_itself_and_twelve_words_are_none():
    words = LONG.split()
    (leak,) = find("We saw: " + " ".join(words[2:15]) + ". Then lunch.")[0]
    assert (leak.kind, leak.item) == ("exact_run", 1)
    assert find("We saw: " + " ".join(words[2:14]) + ". Then lunch.") == [[]]


def test_an_answer_alone_never_counts():
    found = find(f"Run this:\n\n    {ANSWER}\n")[0]
    assert [leak.kind for leak in found] == ["answer_only"]
    assert verdict(found, Limits(threshold=0.0)) == []
    assert find("`pwd` prints where you are.") == [[]]


def test_runs_that_many_prompts_share_are_phrases():
    frame = "You are a careful planner of large networks; answer the question below with one valid plan only: "
    index = Index.build([ItemSet("plans", [f"{frame}plan number {n}" for n in range(9)], [None] * 9)])
    assert index.find(read_stream(pa.array([frame]))) == [[]]


def test_an_index_is_the_same_each_time_and_survives_its_bytes():
    content = INDEX.to_bytes()
    assert Index.build(SETS).to_bytes() == content
    again = Index.from_bytes(content)
    assert again.to_bytes() == content
    assert Index.from_bytes(content).find(read_stream(pa.array([f"{PROMPT}\n\n{ANSWER}"]))) == find(
        f"{PROMPT}\n\n{ANSWER}"
    )


def test_leaks_do_not_depend_on_the_batch():
    texts = ["", LONG, f"{PROMPT}\n\n{ANSWER}", "plain words"]
    assert find(*texts) == [find(text)[0] for text in texts]


@pytest.mark.parametrize(
    "text", ["rsync " * 150_000, "`" * 1_000_000, (PROMPT + "\n\n") * 3_000, "rsync '\"\\" * 90_000]
)
def test_hostile_texts_end(text):
    assert len(find(text)) == 1


def test_a_cut_takes_whole_blocks():
    text = f"One.\n\n{PROMPT}\n\n```sh\n{ANSWER}\n\nls\n```\n\nLast.\n".encode()
    span = (text.index(b"below"), text.index(b"--delete"))
    assert cut(text, [span])[0] == b"One.\n\nLast.\n"
    assert cut(text, []) == (text, [])


def test_sets_are_read_from_json_lines_and_parquet(tmp_path):
    lines = b'{"q": {"text": "ask"}, "a": 42}\n\n{"q": {"text": "more"}, "a": "b"}\n'
    (tmp_path / "s.jsonl.gz").write_bytes(gzip.compress(lines))
    assert read_set("s", str(tmp_path / "s.jsonl.gz"), "q.text", "a") == ItemSet("s", ["ask", "more"], ["42", "b"])
    pa.parquet.write_table(pa.table({"q": ["ask"]}), tmp_path / "s.parquet")
    assert read_set("s", str(tmp_path / "s.parquet"), "q", None) == ItemSet("s", ["ask"], [None])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.jsonl", b'{"q": "x"}\n{"p": 1}\n', "s.jsonl:2: there is no field 'q'"),
        ("s.jsonl", b'{"q": "x"}\nnope\n', "s.jsonl:2: not JSON"),
        ("s.jsonl", b'{"q": null}\n', "s.jsonl:1: field 'q' is no text"),
        ("s.jsonl", b"\n", "holds no items"),
        ("s.jsonl.gz", b"plain", "not gzip"),
        ("s.parquet", b"plain", "not Parquet"),
    ],
)
def test_broken_sets_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LeakSetError, match=message) as error:
        read_set("s", str(tmp_path / name), "q", None)
    assert "\n" not in str(error.value)
