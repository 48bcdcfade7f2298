"""Notebooks: cells and outputs in their order, code byte for byte, long outputs in part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.notebook import MAX_OUTPUT_CHARS, MAX_OUTPUT_LINES, extract_notebook
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
PYTHON = {"kernelspec": {"name": "python3", "language": "python"}, "language_info": {"name": "python"}}


def extract(*cells: dict[str, Any], **metadata: Any) -> Page:
    notebook = {"nbformat": 4, "metadata": {**PYTHON, **metadata}, "cells": list(cells)}
    return extract_notebook(json.dumps(notebook).encode(), "application/x-ipynb+json", "a.ipynb", LIMITS)


def code(source: Any, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def markdown(source: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source}


def stream(text: Any) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def result(**data: Any) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {key.replace("_", "/"): value for key, value in data.items()}}


def fences(text: str) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]


def test_cells_in_order() -> None:
    page = extract(
        markdown(["# Title\n", "See [x](y)."]),
        code(["a = 1\n", "\n", "  a"], result(text_plain="1")),
        markdown("## Next"),
    )
    assert page.text == "# Title\n\nSee x.\n\n```python\na = 1\n\n  a\n```\n\n```\n1\n```\n\n## Next\n"
    assert (page.title, page.method) == ("Title", "notebook")


def test_comments_in_code_are_no_title() -> None:
    assert extract(code("# not a title\nx"), markdown("## Only")).title == "Only"


@pytest.mark.parametrize(
    "shown",
    [
        "<Figure size 640x480 with 1 Axes>",
        "<matplotlib.figure.Figure at 0x2eadc6ddd68>",
        "<IPython.core.display.HTML object>",
        "<module.Thing object at 0x7f00>\n",
    ],
)
def test_objects_without_a_text_leave_nothing(shown: str) -> None:
    assert extract(code("f()", result(text_plain=shown, image_png="iVBO"))).text == "```python\nf()\n```\n"


def test_what_looks_like_an_object_in_a_text_stays() -> None:
    assert fences(extract(code("f()", result(text_plain="a <b object>\x00"))).text)[1] == ("", "a <b object>\n")


def test_streams_that_follow_each_other_are_one_output() -> None:
    page = extract(code("x", stream("a\n"), stream(["b\n", "c"])))
    assert fences(page.text)[1] == ("", "a\nb\nc\n")


def test_escape_sequences_and_progress_bars() -> None:
    page = extract(code("x", stream("\x1b[31mred\x1b[0m \x1b]0;t\x07ok\n 10%\r 50%\r100%\nend\r\n")))
    assert fences(page.text)[1] == ("", "red ok\n100%\nend\n")


def test_a_traceback_stays() -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[0;31m---\x1b[0m", "E: v"]}
    assert fences(extract(code("x", error)).text)[1] == ("", "---\nE: v\n")
    assert fences(extract(code("x", {**error, "traceback": []})).text)[1] == ("", "E: v\n")


def test_tables_of_data_frames_and_no_pictures() -> None:
    html = "<style>x</style><table><tr><th></th><th>a</th></tr><tr><th>0</th><td>1</td></tr></table>"
    page = extract(
        code("df", result(text_html=html, text_plain="   a\n0  1")),
        code("p", result(image_png="aGk=", text_plain="<Figure>")),
    )
    assert "| 0 | 1 |" in page.text
    assert "aGk" not in page.text
    assert fences(page.text) == [("python", "df\n"), ("python", "p\n"), ("", "<Figure>\n")]


def test_long_outputs_are_cut_and_say_so() -> None:
    page = extract(code("x", stream("line\n" * (MAX_OUTPUT_LINES + 50))))
    assert fences(page.text)[1][1].split("\n")[-3:] == ["line", "[... 50 more lines]", ""]
    page = extract(code("x", stream("y" * (3 * MAX_OUTPUT_CHARS))))
    assert len(page.text) < 2 * MAX_OUTPUT_CHARS


def test_magics_name_another_language() -> None:
    page = extract(
        code("%%bash\nls"),
        code("%%sql\nSELECT 1"),
        code("%%time\nx"),
        code("%%writefile a.py\nx"),
        code("%%bigquery d\nSELECT 1"),
        code("%%writefile a.sh\nls"),
    )
    assert [language for language, _ in fences(page.text)] == ["bash", "sql", "python", "python", "sql", "sh"]


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"language_info": {"name": "R"}}, "r"),
        ({"language_info": {}, "kernelspec": {"name": "julia-1.9", "language": "julia"}}, "julia"),
        ({"language_info": {}, "kernelspec": {"name": "python3"}}, "python"),
        ({"language_info": None, "kernelspec": None}, ""),
    ],
)
def test_the_language_of_the_kernel(metadata: dict[str, Any], language: str) -> None:
    assert fences(extract(code("x"), **metadata).text) == [(language, "x\n")]


def test_title_and_authors_of_the_metadata() -> None:
    page = extract(markdown("text"), title="T", authors=[{"name": "Ann"}, {"name": "Ann"}, {}, "x"])
    assert (page.title, page.authors, page.found) == ("T", ("Ann",), {"authors": "notebook"})
    assert page.text == "# T\n\ntext\n"


def test_version_3() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Head"},
        {
            "cell_type": "code",
            "language": "python",
            "input": "x",
            "outputs": [{"output_type": "pyout", "text": "1", "png": "aGk="}],
        },
        {
            "cell_type": "code",
            "input": "y",
            "outputs": [{"output_type": "pyerr", "traceback": ["E"]}, {"output_type": "stream", "text": "s"}],
        },
    ]
    notebook = {"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}
    page = extract_notebook(json.dumps(notebook).encode(), None, "a.ipynb", LIMITS)
    assert page.text.startswith("## Head\n")
    assert fences(page.text) == [("python", "x\n"), ("", "1\n"), ("", "y\n"), ("", "E\n"), ("", "s\n")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"cells": 1}', "[" * 100000, '{"cells": "x"}'])
def test_what_is_no_notebook(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        extract_notebook(text.encode(), None, "a.ipynb", LIMITS)
    assert caught.value.reason == "parser_error"


def test_an_empty_notebook_has_no_text() -> None:
    with pytest.raises(NoText):
        extract(code(""), markdown(" \n"), code("", result(image_png="x")))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
keys = st.sampled_from(
    ["cell_type", "source", "input", "outputs", "output_type", "data", "text", "level", "traceback", "text/html"]
)
cells = st.dictionaries(
    keys, st.one_of(json_values, st.sampled_from(["code", "markdown", "heading", "stream", "error"])), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(cells, json_values), max_size=4), json_values)
def test_any_json_in_the_place_of_cells(found: list[Any], metadata: Any) -> None:
    notebook = {"cells": found, "metadata": metadata}
    try:
        page = extract_notebook(json.dumps(notebook).encode(), None, "a.ipynb", LIMITS)
    except (NoText, Unreadable):
        return
    assert page.text.endswith("\n")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from("`~ \t#<{}\\abé%[]()-\n"), min_size=1, max_size=20), min_size=1, max_size=4))
def test_code_cells_stay_byte_for_byte(sources: list[str]) -> None:
    wanted = [source for source in sources if source.strip()]
    if not wanted:
        return
    found = fences(extract(*(code(source.splitlines(keepends=True)) for source in sources)).text)
    assert [content for _, content in found] == [source.removesuffix("\n") + "\n" for source in wanted]
