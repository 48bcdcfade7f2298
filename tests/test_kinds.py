"""The kinds of text: their files, the forms of their answers, and what documents they need."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.load import load_categories
from manifests.synthesis import Kind, KindError, load_kind
from synth.code import CodeError, language_of, losses, parse
from synth.forms import Reading, read
from synth.needs import NEEDS, meets
from synth.outline import outline, tidy, title_of
from synth.schema import check_schema, departure
from synth.shell import ShellError, parse_shell

KINDS = Path(__file__).parent.parent / "manifests/kinds"
OURS = [
    *("faq", "tutorial", "option_table", "explain_command", "explain_config", "explain_error", "knowledge_list"),
    *("distill", "encyclopedia", "question_answer", "postmortem", "log_diagnosis", "code_cleanup"),
]
HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("`~#|-*>[](){}<>$\\'\"?:;&=.1 \t\n\r\x00\u2028\u00e9\u4e2d")), st.characters()
    ),
    max_size=300,
)


def kind_of(name: str) -> Kind:
    return load_kind(name, KINDS)


def reading_of(name: str, answer: str, document: str | None = None) -> Reading:
    kind = kind_of(name)
    return read(kind, answer, kind.example.document if document is None else document)


def reasons(name: str, answer: str, document: str | None = None) -> list[str]:
    return [reason for reason, _ in reading_of(name, answer, document).problems]


def answer_of(name: str) -> str:
    return kind_of(name).example.answer


@pytest.mark.parametrize("name", OURS)
def test_a_kind_loads_and_what_it_names_exists(name):
    kind = kind_of(name)
    assert kind.name == name
    assert callable(import_module(f"synth.forms.{kind.form}").read)
    assert set(kind.needs) <= set(NEEDS)
    assert set(kind.categories) <= set(load_categories())
    assert all(meets(need, kind.example.document) for need in kind.needs)
    assert len(kind.example.document.split()) >= kind.fewest_words


@pytest.mark.parametrize("name", OURS)
def test_the_golden_answer_is_read_as_its_text(name):
    kind = kind_of(name)
    assert read(kind, kind.example.answer, kind.example.document) == Reading(kind.example.text, ())


@pytest.mark.parametrize("name", OURS)
def test_an_answer_with_foreign_line_ends_or_within_a_markdown_fence_is_the_same(name):
    kind = kind_of(name)
    assert reading_of(name, kind.example.answer.replace("\n", "\r\n")) == Reading(kind.example.text, ())
    if kind.form != "items":
        wrapped = f"```markdown\n{kind.example.answer.strip()}\n```\n"
        assert reading_of(name, wrapped) == Reading(kind.example.text, ())


@pytest.mark.parametrize("name", OURS)
def test_an_answer_of_nothing_does_not_count(name):
    for answer in ("", " \n\t\n", "```\n```", "# \n"):
        assert reading_of(name, answer).problems


@pytest.mark.parametrize("name", [name for name in OURS if kind_of(name).form not in ("items",)])
def test_an_answer_that_is_cut_in_its_code_does_not_count(name):
    answer = answer_of(name) + "\n```sh\nls -l\n"
    assert reasons(name, answer)[0] == "open_fence"


@pytest.mark.parametrize("name", [name for name in OURS if kind_of(name).form not in ("markdown", "items", "list")])
def test_an_answer_that_is_cut_at_a_heading_does_not_count(name):
    answer = answer_of(name).split("\n\n")[0] + "\n\n## And what if"
    assert "broken_form" in reasons(name, answer)


@pytest.mark.parametrize("name", OURS)
def test_an_answer_that_is_one_block_of_code_does_not_count(name):
    assert "broken_form" in reasons(name, f"```\n{'x = 1' * 30}\n```") or kind_of(name).form in ("items", "code")


def test_no_two_kinds_ask_the_same():
    kinds = [kind_of(name) for name in OURS]
    assert len({kind.task for kind in kinds}) == len(kinds)
    assert len({kind.about for kind in kinds}) == len(kinds)


def test_a_kind_is_added_by_a_file(tmp_path):
    kind = {
        "name": "glossary",
        "about": "Words and what they mean",
        "task": "List the words that the document explains.",
        "form": "list",
        "example": {"document": "# Words\n\nText.", "answer": "", "text": ""},
    }
    (tmp_path / "glossary.yaml").write_text(yaml.safe_dump(kind))
    loaded = load_kind("glossary.yaml", tmp_path)
    answer = "- A page is what is mapped at once.\n- A frame holds a page in memory.\n- A fault maps a page on demand."
    assert read(loaded, answer, loaded.example.document) == Reading(f"# Words\n\n{answer}", ())


def test_a_kind_without_its_golden_example_is_an_error(tmp_path):
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump({"name": "bare", "about": "a", "task": "b"}))
    with pytest.raises(KindError, match="example"):
        load_kind("bare.yaml", tmp_path)


def test_a_faq_has_questions_with_answers_and_nothing_else():
    answer = answer_of("faq")
    first, second, third = answer.strip().split("\n## ")
    assert reasons("faq", "Here is the FAQ:\n\n" + answer) == ["broken_form"]
    assert reasons("faq", answer + "\n\n## Conclusion\n\nThat is all.") == ["broken_form"]
    assert reasons("faq", f"{answer}\n\n## {third}") == ["repeated_item"]
    assert reasons("faq", first) == ["too_few_items"]
    assert reasons("faq", f"{first}\n\n## Why?\n\n## {second}") == ["broken_form"]
    assert reasons("faq", "Some text about logs.") == ["broken_form", "too_few_items"]
    assert reasons("faq", "# Questions\n\n" + answer) == []


def test_a_tutorial_has_steps_in_their_order():
    answer = answer_of("tutorial")
    assert reasons("tutorial", answer.replace("Step 3", "Step 4")) == ["broken_form"]
    assert reasons("tutorial", answer.split("## Step 3")[0]) == ["too_few_items"]
    assert reasons("tutorial", answer.replace("Grow the logical volume\n", "See what is free\n")) == ["repeated_item"]
    assert reasons("tutorial", answer.removeprefix("# ")) == ["broken_form"]
    assert reasons("tutorial", answer.replace("## Step 3", "## Aside\n\nBy the way.\n\n## Step 3")) == ["broken_form"]


def test_a_table_has_equal_rows_and_one_question():
    answer = answer_of("option_table")
    table, question = answer.split("\n\n## ")
    assert reasons("option_table", table) == ["broken_form"]
    assert reasons("option_table", f"## {question}") == ["broken_form"]
    assert reasons("option_table", answer.replace("| 24 |", "|")) == ["broken_form"]
    assert reasons("option_table", answer.replace("only lists | |", "only lists a|b | |")) == ["broken_form"]
    assert reasons("option_table", answer.replace("only lists | |", "only lists a\\|b | |")) == []
    row = table.split("\n")[-1]
    assert reasons("option_table", answer.replace(row, f"{row}\n{row}")) == ["repeated_item"]
    assert reasons("option_table", "\n".join(table.split("\n")[:3]) + f"\n\n## {question}") == ["too_few_items"]
    assert reasons("option_table", f"{answer}\n\n## {question}") == ["broken_form"]
    assert reasons("option_table", "Here is the table.\n\n" + answer) == ["broken_form"]


def test_a_list_has_sentences_that_differ():
    answer = answer_of("knowledge_list").strip()
    facts = answer.split("\n")
    assert reasons("knowledge_list", f"{answer}\n{facts[0]}") == ["repeated_item"]
    assert reasons("knowledge_list", f"{answer}\n- And what the kernel") == ["broken_form"]
    assert reasons("knowledge_list", f"These are the facts:\n\n{answer}") == ["broken_form"]
    assert reasons("knowledge_list", "\n".join(facts[:2])) == ["too_few_items"]
    assert reasons("knowledge_list", f"{answer}\n- It is set by\n  `vm.nr_hugepages`.") == []
    assert (
        reasons("knowledge_list", f"{answer}\n- It is set like this:\n  ```sh\n  sysctl vm.nr_hugepages=8\n  ```") == []
    )


@pytest.mark.parametrize("name", [name for name in OURS if kind_of(name).form == "sections"])
def test_sections_are_those_of_the_example_in_its_order(name):
    answer = answer_of(name).strip()
    title, *parts = answer.split("## ")
    assert reasons(name, answer + "\n\n## Conclusion\n\nThat is all.") == ["broken_form"]
    assert reasons(name, title + "".join(f"## {part.strip()}\n\n" for part in reversed(parts))) == ["broken_form"]
    assert reasons(name, "Sure, here it is:\n\n" + answer) == ["broken_form"]
    assert "repeated_item" in reasons(name, answer + "\n\n## " + parts[-1])
    assert reasons(name, title + "## " + parts[0]) == ["too_few_items"]
    assert not reasons(name, title + "## " + parts[0] + "## " + parts[1])


def test_an_answer_in_json_is_held_to_its_schema():
    value = json.loads(answer_of("log_diagnosis"))
    assert reasons("log_diagnosis", answer_of("log_diagnosis")[:-40]) == ["broken_json"]
    assert reasons("log_diagnosis", "The log shows a lost token.") == ["broken_json"]
    assert reasons("log_diagnosis", json.dumps([value])) == ["schema"]
    assert reasons("log_diagnosis", json.dumps({**value, "checks": "none"})) == ["schema"]
    assert reasons("log_diagnosis", json.dumps({**value, "more": ""})) == ["schema"]
    assert reasons("log_diagnosis", json.dumps({name: value[name] for name in value if name != "cause"})) == ["schema"]
    assert reasons("log_diagnosis", json.dumps({**value, "checks": ["a disk", "A disk."]})) == ["repeated_item"]
    assert reasons("log_diagnosis", json.dumps({**value, "cause": "## Cause\n\nNo idea"})) == ["broken_form"]
    assert reasons("log_diagnosis", json.dumps({**value, "cause": "see\n```\nx"}))[-1] == "open_fence"
    nothing = {**value, "evidence": [], "cause": "", "checks": [], "remedy": ""}
    assert reasons("log_diagnosis", json.dumps(nothing)) == ["too_few_items"]
    assert reasons("log_diagnosis", f"```json\n{json.dumps(value)}\n```") == []


def test_json_that_no_file_can_hold_is_broken():
    value = json.loads(answer_of("log_diagnosis"))
    assert reasons("log_diagnosis", json.dumps({**value, "cause": "a \ud800 b"})) == ["broken_json"]
    assert reasons("log_diagnosis", json.dumps({**value, "cause": "a \x00 b"})) == ["broken_json"]
    assert reasons("log_diagnosis", "[" * 100_000) == ["broken_json"]
    assert reasons("log_diagnosis", '{"a": ' * 100_000) == ["broken_json"]
    assert reasons("log_diagnosis", "9" * 10_000) == ["broken_json"]


def test_lines_that_the_document_lacks_are_no_block_of_code():
    value = json.loads(answer_of("log_diagnosis"))
    text = reading_of("log_diagnosis", json.dumps({**value, "evidence": ["node3 is gone"]})).text
    assert "## Log\n\n- node3 is gone\n" in text


def test_joined_pieces_have_the_title_once():
    kind = kind_of("encyclopedia")
    assert read(kind, "It is kept.", "# Disks\n\nKeep it.").text == "# Disks\n\nIt is kept."
    assert read(kind, "It is kept.", "## Disks\n\nKeep it.").text == "It is kept."


def test_a_schema_that_nobody_would_check_is_an_error():
    kind = kind_of("log_diagnosis")
    for schema in (
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "text"},
        {"type": "object", "properties": {}, "required": ["a"]},
    ):
        with pytest.raises(KindError, match="response_schema"):
            read(kind.model_copy(update={"response_schema": schema}), "{}", "")
    with pytest.raises(KindError, match="needs a response_schema"):
        read(kind.model_copy(update={"response_schema": None}), "{}", "")


def test_a_departure_from_a_schema_says_where():
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer", "enum": [1, 2]}}}}
    check_schema(schema)
    assert departure({"a": [1, 2]}, schema) == ""
    assert departure({"a": [1, True]}, schema) == "$.a[1]: no integer"
    assert departure({"a": [3]}, schema) == "$.a[0]: none of those it may be"


def cleanup(code: str, language: str, after: str, other: str | None = None) -> list[str]:
    document = f"# x\n\n```{language}\n{code}\n```\n"
    return reasons("code_cleanup", f"It does this.\n\n```{other or language}\n{after}\n```", document)


PYTHON = 'import os\n\ndef f(p):\n    """D."""\n    return os.path.getsize(p) > 4096\n\nprint(f("/var/log/x"))'


def test_rewritten_python_parses_and_keeps_functions_calls_and_literals():
    better = (
        PYTHON.replace("def f(p)", "def is_large(path)").replace("(p)", "(path)").replace('"""D."""', '"""Whether."""')
    )
    assert cleanup(PYTHON, "python", better.replace("print(f(", "print(is_large(")) == []
    assert cleanup(PYTHON, "python", PYTHON.replace("4096", "8192")) == ["lost_literal"]
    assert cleanup(PYTHON, "python", PYTHON[:-1]) == ["code_does_not_parse"]
    assert cleanup(PYTHON, "python", 'print("/var/log/x", 4096)') == ["fewer_functions", "fewer_commands"]
    assert cleanup(PYTHON[:-1], "python", PYTHON) == ["source_does_not_parse"]
    assert cleanup(PYTHON, "py", PYTHON, "python3") == []
    assert cleanup(PYTHON, "python", "ls -l", "sh") == ["other_code"]
    assert cleanup("move 1 to x", "cobol", "move 1 to y") == ["unparsed_code"]


def test_a_cleanup_is_a_paragraph_and_one_block():
    answer = answer_of("code_cleanup")
    assert reasons("code_cleanup", answer + "\nI hope this helps.") == ["broken_form"]
    assert reasons("code_cleanup", answer + "\n```sh\nls\n```") == ["broken_form"]
    assert reasons("code_cleanup", "It waits.") == ["broken_form"]
    assert reasons("code_cleanup", answer, "No code.") == ["no_code"]


def test_rewritten_shell_keeps_commands_and_options():
    answer = answer_of("code_cleanup")
    assert reasons("code_cleanup", answer.replace("  sleep 2\n", "")) == ["fewer_commands"]
    assert reasons("code_cleanup", answer.replace(" -w 1", "")) == ["lost_literal"]
    assert reasons("code_cleanup", answer.replace("\ndone\n", "\n")) == ["code_does_not_parse"]


@pytest.mark.parametrize(
    ("language", "code", "commented", "changed", "broken"),
    [
        ("json", '{"a": [1, 2]}', '{\n "a": [1,\n 2]}', '{"a": [1, 3]}', '{"a": [1, 2}'),
        ("toml", 'a = 1\n[b]\nc = "x"', '# Why\na = 1\n\n[b]\nc = "x" # y', 'a = 1\n[b]\nc = "z"', "a = \n"),
        ("yaml", "a: [1, x]\nb: yes", "# Why\na:\n  - 1\n  - 'x'\nb: yes", "a: [1, x]\nb: 'yes'", "a: [1\nb: 2"),
        ("ini", "[Unit]\nAfter=a\nAfter=b", "# Why\n[Unit]\nAfter=a\n; more\nAfter=b", "[Unit]\nAfter=b", "[Unit]\nx"),
        ("dockerfile", "FROM a:1\nRUN b", "# Why\nFROM a:1\n\nRUN b", "FROM a:2\nRUN b", "RUN b"),
    ],
)
def test_rewritten_configuration_says_the_same(language, code, commented, changed, broken):
    assert cleanup(code, language, commented) == []
    assert cleanup(code, language, changed) == ["changed_content"]
    assert cleanup(code, language, broken) == ["code_does_not_parse"]


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "static int f(int a)\n{\n\tif (a) { g(\"}\", '{'); /* ( */ }\n\treturn a; // }\n}\n"),
        ("go", "func (s *S) Get(k string) (int, error) {\n\treturn s.m[k], fmt.Errorf(`no {`)\n}\n"),
        ("java", 'class A { int f(int a) throws E { return g("\\"{"); } }\n'),
        ("rust", "fn f<'a>(x: &'a str) -> char { g(x); '{' }\n"),
    ],
)
def test_languages_with_braces_are_read_outside_of_strings_and_comments(language, code):
    shape = parse(language, code)
    assert shape.functions == 1
    assert shape.commands >= 1
    with pytest.raises(CodeError):
        parse(language, code.rstrip().removesuffix("}"))
    assert [reason for reason, _ in losses(shape, replace(shape, functions=0))] == ["fewer_functions"]


SCRIPT = r"""#!/bin/bash
set -euo pipefail
declare -A ports=(["a"]=1 [b]=2)
f() { local x="${1:-"it's"}"; echo "${x//\}/}" >&2; }
function g { (( $# > 1 )) && return; }
for ((i = 0; i < 3; i++)); do echo $((i * (2 + 1))); done
for x in $(ls -1 "$(pwd)"); do
  case "$x" in
    (a|b*) f "$x" ;;
    *.txt) cat <<-EOF | tee -a out
	it's $x (
	EOF
    ;;
    @(c|d)) : ;;
  esac
done < <(printf '%s\n' a\ b 'it'"'"'s')
if [[ $x =~ ^(a|b)\)$ && -n `date +%s` ]]; then
  f $'it\'s' # don't
elif ! grep -q x <<< "$x"; then { g; } 2>/dev/null
else ( cd / && ls ); fi
"""


def test_a_shell_script_is_read_whole():
    script = parse_shell(SCRIPT)
    assert script.functions == 2
    assert {"-euo", "-A", "-1", "-a", "-q"} <= script.options


@pytest.mark.parametrize(
    "dropped", ['"${1:-"', "; }", "))", "done", "esac", ";;\n    *.", "\tEOF", "'\"'", "]]", "fi", "then", "; do"]
)
def test_a_shell_script_that_lacks_something_does_not_parse(dropped):
    begin = SCRIPT.rindex(dropped)
    with pytest.raises(ShellError, match="line"):
        parse_shell(SCRIPT[:begin] + SCRIPT[begin + len(dropped) :])


@pytest.mark.parametrize(
    "code", ["| a", "a\n|| b", "a ;; b", "if a; then fi", "while do a; done", "(a) b", "> > x", "a | ) b", "foo() ( "]
)
def test_what_no_shell_reads_does_not_parse(code):
    with pytest.raises(ShellError):
        parse_shell(code)


def test_a_separator_of_unicode_is_part_of_a_word():
    """It once was read again and again."""
    assert parse_shell("echo a\u2028b\u00a0c").commands == 1


@pytest.mark.parametrize(
    "code",
    [
        "$(a " * 39 + ")" * 39,
        "((" * 9999,
        '"${' * 9999,
        "if " * 9999,
        "a=(" * 9999,
        "a@(" * 9999,
        "<<x\n" * 9999,
        "{ " * 9999,
    ],
)
def test_hostile_scripts_end(code):
    with pytest.raises(ShellError):
        parse_shell(code)


@pytest.mark.parametrize(
    "code",
    ["x = " + "(" * 99, "-\\\n" * 60_000 + "1", "(a" + "\n.b" * 60_000 + ")", "if a:\n b\n" + "elif a:\n b\n" * 9999],
)
def test_hostile_python_is_refused(code):
    with pytest.raises(CodeError, match="nested too deep"):
        parse("python", code)


def test_aliases_of_yaml_do_not_multiply():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
    )
    assert len(parse("yaml", bomb).content) < 200


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_whatever_a_teacher_answers_is_read(answer):
    for name in OURS:
        kind = kind_of(name)
        reading = read(kind, answer, kind.example.document)
        reading.text.encode()
        assert all(reason and len(value) <= 80 and "\n" not in value for reason, value in reading.problems)


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_whatever_a_document_holds_its_needs_are_told(text):
    for need in NEEDS:
        assert meets(need, text) in (True, False)
        assert meets(need, f"```sh\n{text}\n```") in (True, False)


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_code_is_parsed_or_refused_and_equals_itself(code):
    for language in ("python", "sh", "json", "toml", "yaml", "ini", "dockerfile", "c", "rust"):
        try:
            shape = parse(language, code)
        except CodeError:
            continue
        assert not list(losses(shape, shape))


@given(
    st.lists(
        st.sampled_from(["# a", "## b ##", "text", "```", "````sh", "~~~", "  ```", "> ```", "", "- x"]), max_size=12
    )
)
def test_an_outline_parts_fences_from_headings(lines):
    page = outline("\n".join(lines))
    fenced = page.fenced()
    assert not fenced & {heading.line for heading in page.headings}
    assert all(fence.closed or fence.end == len(page.lines) for fence in page.fences)
    assert all(one.end < two.begin for one, two in zip(page.fences, page.fences[1:], strict=False))


def test_an_outline_knows_what_markdown_knows():
    page = outline(
        "# A #\n\n```sh\n# no heading\n````\n\n####### no\n   ## B\n    # code\n~~~ x`y\n```\n~~~\n#\n```a`b"
    )
    assert [(heading.level, heading.text) for heading in page.headings] == [(1, "A"), (2, "B"), (1, "")]
    assert [(fence.language, fence.closed) for fence in page.fences] == [("sh", True), ("x`y", True)]
    assert title_of("## B\n\n# A\n") == "A"
    assert title_of("text") == ""
    assert tidy("```md\na\n```") == "a"
    assert tidy("```sh\na\n```") == "```sh\na\n```"


THREAD = "# Port in use\n\nWhy?\n\n## Answer (score 3{})\n\nWait."
PAGE = "# Quota\n\n**dagny** (2023-05-05, score 3):\n\nHow?\n\n{}\n\nBy id."


@pytest.mark.parametrize(
    ("need", "text", "is_met"),
    [
        ("accepted_answer", THREAD.format(", accepted"), True),
        ("accepted_answer", THREAD.format(""), False),
        ("accepted_answer", PAGE.format("**halvor** (2023-05-06, score 8, accepted):"), True),
        ("accepted_answer", PAGE.format("**halvor** (accepted):"), True),
        ("accepted_answer", PAGE.format("**(score 8, accepted)**:"), True),
        ("accepted_answer", PAGE.format("**halvor** (2023-05-06, score 8):"), False),
        ("accepted_answer", "```\n## Answer (score 3, accepted)\n```", False),
        ("code", "```c\nint x;\n```", True),
        ("code", "```c\n```", False),
        ("code", "Use `ls`.", False),
        ("command", "```sh\n$ sudo lvs -o +devices\n```", True),
        ("command", "- Load a function:\n\n`autoload -Uz {{name}}`", True),
        ("command", "```c\na = b -x;\n```", False),
        ("command", "The range is `a - b`.", False),
        ("options", "- `-a`, `--all`: show every entry\n- `-l`: use the long format\n- `-r`: go the other way round\n- `--size=N`: print sizes in blocks", True),
        ("options", "**-a**\n\nshows every entry there is\n\n**-b**\n\nescapes what cannot be shown\n\n**-c**\n\nsorts by time of change\n\n**-d**\n\nlists directories as they are", True),
        ("options", "| `--all` | shows every entry there |\n| `--all` | shows every entry there |\n| `-b` | is for it |\n| `-c` | is for it too |", False),
        ("options", "- a point of the list\n- another point of it\n- a third point of it\n- and one more point", False),
        ("config", "```yaml\na:\n  b: 1\n  c: x\n```", True),
        ("config", "```\nmax_connections = 100\nshared_buffers = 1GB\nfsync = on\n```", True),
        ("config", "```\nThis is text: of no use\nreally\nnone\n```", False),
        ("config", "```python\na = 1\nb = 2\nc = 3\n```", False),
        ("error", "```\nmount: error: bad geometry\n```", True),
        ("error", "It prints `bash: foo: command not found` then.", True),
        ("error", "```\nTraceback (most recent call last):\n```", True),
        ("error", "There was an error in the text.", False),
        ("error", "```go\nif err != nil { return err }\n```", False),
        ("log", "```\n2026-02-11T01:58:02Z a[1]: up\n2026-02-11T01:58:03Z a[1]: ERROR lost\n2026-02-11T01:58:04Z a[1]: up\n```", True),
        ("log", "```\nFeb  3 01:02:03 host sshd[1]: up\nFeb  3 01:02:04 host sshd[1]: failed\nFeb  3 01:02:05 host sshd[1]: down\n```", True),
        ("log", "```\n2026-02-11T01:58:02Z up\n2026-02-11T01:58:03Z up\n2026-02-11T01:58:04Z up\n```", False),
        ("log", "```\n[12:34:56] <ann> error?\n[12:35:56] <bob> failed\n[12:36:56] <ann> ok\n```", False),
        ("incident", "# Outage on 3 May 2024\n\nAt 10:05 UTC requests failed. The outage was caused by a full disk. It was resolved.", True),
        ("incident", "# How to write a postmortem\n\nAn incident should have a root cause. You should say when it was resolved, who was affected, in a template.", False),
        ("incident", "# Disks\n\nA disk failed on 3 May 2024. It was caused by heat, and was fixed.", False),
        ("prose", "# Disks\n\n" + "A disk fails now and then. " * 7, True),
        ("prose", "# a/b.sh\n\n```sh\n" + SCRIPT * 3 + "```", False),
        ("script", "```sh\n" + SCRIPT + "```", True),
        ("script", "```sh\n" + SCRIPT.replace("esac", "") + "```", False),
        ("script", "```sh\n" + "$ ls -l\nfile\n" * 6 + "```", False),
        ("script", "```sh\nls\n```", False),
        ("script", "```\n" + SCRIPT + "```", False),
    ],
)  # fmt: skip
def test_a_need_is_met_by_what_shows_it(need, text, is_met):
    assert meets(need, text) is is_met


def test_a_need_that_nobody_knows_is_an_error():
    with pytest.raises(ValueError, match="'gold' is not among accepted_answer"):
        meets("gold", "text")


def test_a_language_has_one_name():
    assert [language_of(name) for name in ("Bash", "yml", "c++", "cobol")] == ["sh", "yaml", "c", "cobol"]
