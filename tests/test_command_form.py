"""Commands for what somebody wants to do: what a reference bears out, and what it does not."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.synthesis import load_kind
from synth import gates
from synth.checks.commands import LONGEST, plain, problems_of, reference_of
from synth.forms import read
from synth.needs import meets
from synth.shell import parse_shell

KIND = load_kind("command", Path("/"))
DOCUMENT = KIND.example.document
SPOOL = """# spoolcheck(8)

## NAME

spoolcheck - find orphaned files in a spool directory

## SYNOPSIS

```
spoolcheck [-rq] [-d DIR] [-a HOURS] [--format=json|text]
```

## OPTIONS

- `-d`, `--directory DIR`: the spool directory. The default is `/var/spool/jobs`.
- `-a`, `--age HOURS`: files younger than this are left alone. The default is 24.
- `-r`, `--remove`: remove what was found. Without it spoolcheck only lists.
- `-q`, `--quiet`: print nothing; the exit status tells whether files were found.
- `--format FORMAT`: `text` or `json`.
"""
REMOTE = """# git-remote(1)

## NAME

git-remote - Manage set of tracked repositories

## SYNOPSIS

```
git remote [-v | --verbose]
git remote add [-t <branch>] [--[no-]tags] <name> <URL>
```

## OPTIONS

`-v`, `--verbose`
: Be a little more verbose.

`-t <branch>`
: Track a branch.

`--[no-]tags`
: Import tags, or not. `git fetch --all` fetches from each.
"""
ARCHIVE = """# tar(1)

Usage: tar [OPTION...] [FILE]...

- `-x`: extract. `-z`: gzip. `-f FILE`: the archive. `-C DIR`: where to. `-j N`: threads.
- `-maxdepth N`, `--exclude=PATTERN`, `--level N`: others.
"""


def reasons(command, document=SPOOL, request="Do it in /srv with 48 and a.tgz."):
    return [reason for reason, _ in problems_of(command, request, reference_of(document))]


@pytest.mark.parametrize(
    ("document", "program"),
    [
        (SPOOL, "spoolcheck"),
        (REMOTE, "git"),
        (ARCHIVE, "tar"),
        ("# nvidia-smi\n\ntext", "nvidia-smi"),
        ("# az network vnet create\n\n- `--name`: its name", "az"),
        ("# A page\n\n## NAME\n\ngzip, gunzip \\- compress files\n", "gunzip"),
        ("# Measuring bandwidth\n\n```sh\n$ nccl-tests -b 8\n```\n", "nccl-tests"),
        ("# Tool\n\n**usage:** sb result diagnosis [-h]\n", "sb"),
        ("# **rsync** — copy files\n", "rsync"),
    ],
)
def test_the_program_that_a_document_is_about_is_found(document, program):
    assert program in reference_of(document).programs


def test_a_page_about_no_program_names_none():
    assert not reference_of("# How we made it fast\n\nWe used `-O2` and hope.\n").programs


@pytest.mark.parametrize(
    ("document", "command"),
    [
        (SPOOL, "spoolcheck -rq --age=48 -d /srv"),
        (SPOOL, "sudo -u root spoolcheck -d '/srv/my dir' 2>/dev/null | sort -r | head -n 5"),
        (SPOOL, "cd /srv && spoolcheck --format json > out.json"),
        (SPOOL, 'for d in a b; do spoolcheck -d "$d"; done'),
        (SPOOL, "echo $(spoolcheck -q; echo $?)"),
        (SPOOL, "find /srv -type d -print0 | xargs -0 -n 1 spoolcheck -d"),
        (SPOOL, "spoolcheck -- -odd-name"),
        (REMOTE, "git remote add -t main --no-tags origin https://example.com/x.git"),
        (REMOTE, "git remote -v"),
        (REMOTE, "git fetch --all"),
        (ARCHIVE, "tar -xzf a.tgz -C /srv"),
        (ARCHIVE, "/usr/bin/tar -j4 -maxdepth 3 --exclude='*.o' -f a.tgz"),
    ],
)
def test_commands_that_the_reference_bears_out_count(document, command):
    assert reasons(command, document) == []


@pytest.mark.parametrize(
    ("document", "command", "reason"),
    [
        (SPOOL, "spoolcheck --purge", "invented_option"),
        (SPOOL, "spoolcheck -rx", "invented_option"),
        (SPOOL, "spoolcheck --agee=48", "invented_option"),
        (SPOOL, "spoolcheck -q | sort --frobnicate", "invented_option"),
        (SPOOL, "sudo --chroot spoolcheck", "invented_option"),
        (SPOOL, "ls -l", "other_program"),
        (SPOOL, "spoolcheck -q | curl example.com", "other_program"),
        (SPOOL, "$TOOL -q", "other_program"),
        (SPOOL, "", "other_program"),
        (SPOOL, "spoolcheck -d '/srv", "broken_command"),
        (SPOOL, "spoolcheck | | wc", "broken_command"),
        (SPOOL, "spoolcheck -q\nrm -rf /", "broken_command"),
        (SPOOL, "spoolcheck -d $(echo /srv", "broken_command"),
        (SPOOL, "spoolcheck -d <directory>", "placeholder"),
        (SPOOL, "spoolcheck [OPTION]...", "placeholder"),
        (SPOOL, "spoolcheck -d TARGET", "placeholder"),
        (SPOOL, "spoolcheck -a 72", "unasked_value"),
        (REMOTE, "git push --verbose", "other_subcommand"),
        (REMOTE, "git remote add --yestags x y", "invented_option"),
        (SPOOL, "spoolcheck " + "x" * LONGEST, "broken_command"),
    ],
)
def test_commands_that_it_does_not_are_told_why(document, command, reason):
    assert reasons(command, document)[0] == reason


def test_capitals_of_the_reference_are_no_fault():
    assert reasons("spoolcheck -d DIR") == []


def test_quotes_are_taken_off_as_a_shell_does():
    assert plain("'a b'") == "a b"
    assert plain(r'--x="a \" b"c\ d') == r"--x=a \" bc d"


def test_words_of_each_simple_command_are_told_without_assignments_and_redirections():
    script = parse_shell("A=1 f -x 'a b' >out 2>&1 | g $(h -y) && i() { j; }")
    assert script.calls == [["f", "-x", "'a b'"], ["g", "$(h -y)"], ["h", "-y"], [], ["j"]]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("spoolcheck -rq'\"`$(){}[]<>|&;=\\\n*~0 9é\u2028"), max_size=80), st.text(max_size=200))
def test_no_text_crashes_the_check(command, document):
    problems_of(command, "x", reference_of(SPOOL))
    problems_of(command, command, reference_of(document))


def answer(command, explanation="It does what is asked."):
    return json.dumps({"items": [{"request": "Do it in /srv.", "command": command, "explanation": explanation}]})


def test_an_option_that_only_the_explanation_invents_does_not_count():
    told = read(KIND, answer("spoolcheck -q", "`-q` keeps silent, as `--silent` does."), SPOOL)
    assert told.problems == [("invented_option", "--silent")]


def test_a_command_stands_once():
    items = json.loads(answer("spoolcheck -q"))["items"] * 2
    assert read(KIND, json.dumps({"items": items}), SPOOL).problems == [("repeated_item", "spoolcheck -q")]


def test_a_document_about_no_program_is_told():
    assert read(KIND, KIND.example.answer, "# Some thoughts\n\ntext").problems[0][0] == "no_program"


def test_the_golden_example_is_read_as_it_should_be():
    assert all(meets(need, DOCUMENT) for need in KIND.needs)
    reading = read(KIND, KIND.example.answer, DOCUMENT)
    assert reading.problems == []
    assert reading.text == KIND.example.text


@pytest.mark.parametrize(
    "command",
    [
        "ringdump",
        "ringdump -n 5 | head -20 | sort",
        "sudo ringdump -kz --device=/dev/a > 'my file'",
        "ringdump -n5 --keep-going 2>/dev/null",
        "/usr/bin/ringdump -z -- - | wc",
    ],
)
def test_what_the_document_has_may_be_used(command):
    assert problems_of(command, command, reference_of(DOCUMENT)) == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("ringdump -x", "invented_option"),
        ("ringdump -kx", "invented_option"),
        ("ringdump --keep", "invented_option"),
        ("ringdump --keep-going-on", "invented_option"),
        ("ringdump -q5", "invented_option"),
        ("ringread -z", "other_program"),
        ("ringdump -z | gzip", "other_program"),
        ("echo hello", "other_program"),
        ("ringdump -z |", "broken_command"),
        ("ringdump 'one", "broken_command"),
        ("ringdump $(", "broken_command"),
    ],
)
def test_what_it_does_not_have_is_told(command, reason):
    assert [each for each, _ in problems_of(command, command, reference_of(DOCUMENT))] == [reason]


@given(st.text(max_size=200))
def test_no_answer_is_a_crash(text):
    read(KIND, text, DOCUMENT)
    item = {"request": "Show what there is of it.", "command": text, "explanation": "It shows all that there is."}
    read(KIND, json.dumps({"items": [item]}), DOCUMENT)


@pytest.mark.parametrize("name", ["command", "plan", "kql", "retrieval_item"])
def test_no_gate_rejects_the_golden_example(name):
    kind = load_kind(name, Path("/"))
    source, text = (pa.array([each], pa.large_string()) for each in (kind.example.document, kind.example.text))
    assert gates.judge(gates.measure(source, text), kind.limits) == [[]]
