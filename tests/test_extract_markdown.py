"""Markdown of any dialect: code stays byte for byte, template tags go, what they show stays."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.front_matter import iso_date, split_front_matter
from pipelines.extract.markdown.reader import extract_markdown
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
COMMONMARK = MarkdownIt("commonmark").enable("table")


def extract(text: str, name: str = "docs/a.md") -> Page:
    return extract_markdown(text.encode(), "text/markdown", name, LIMITS)


def extract_block(text: str, name: str = "docs/a.md") -> Page:
    return extract(textwrap.dedent(text), name)


def fences(markdown: str) -> list[tuple[str, str]]:
    """Language and content of each block of code, as a CommonMark parser sees them."""
    tokens = COMMONMARK.parse(markdown)
    return [(token.info, token.content) for token in tokens if token.type in ("fence", "code_block")]


def prose(markdown: str) -> str:
    """The text without its blocks of code."""
    lines = markdown.split("\n")
    for token in COMMONMARK.parse(markdown):
        if token.type in ("fence", "code_block") and token.map:
            lines[token.map[0] : token.map[1]] = [""] * (token.map[1] - token.map[0])
    return "\n".join(lines)


# Code, compared with what markdown-it-py takes for code.

line = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffd"), max_size=20
)
tricky = st.text(st.sampled_from("`~ \t<>/&;#*-_|\\ab1.:!%{}[]()$=\u0301"), max_size=20)
template = st.sampled_from(
    [
        "{{ .Values.x }}",
        "{{< note >}}",
        "{% if x %}",
        "{% endraw %}",
        ":::note",
        "!!! note",
        "[!NOTE]",
        "<Tabs>",
        "import a from 'b'",
    ]
)
code_lines = st.lists(st.one_of(line, tricky, template), min_size=1, max_size=6)


def as_fence(lines: list[str], marks: str) -> str:
    longest = 3 + max((len(each) - len(each.lstrip("`~")) for each in (text.strip() for text in lines)), default=0)
    return "\n".join([marks * longest + "sh", *lines, marks * longest])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(code_lines, st.sampled_from("`~"), st.sampled_from(["", "> ", "  ", "- "])), min_size=1, max_size=4
    )
)
def test_code_in_fences_stays_byte_for_byte(blocks: list[tuple[list[str], str, str]]) -> None:
    parts = []
    for lines, marks, container in blocks:
        block = as_fence(lines, marks)
        rest = "  " if container == "- " else container
        parts.append(container + block.replace("\n", "\n" + rest) + "\n\nText of {{< x >}} prose.\n")
    source = "\n".join(parts)
    seen = [content for _, content in fences(source)]
    # Where the container changes what is code, CommonMark says so; blank code leaves nothing.
    assert [c for _, c in fences(extract(source).text) if c.strip()] == [c for c in seen if c.strip()]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(line, tricky), max_size=12))
def test_plain_commonmark_has_the_same_blocks_of_code(lines: list[str]) -> None:
    source = "\n".join(lines)
    # What opens HTML, formulas or tags of a dialect is read by other rules than CommonMark's.
    if any(mark in source for mark in ("<", "$", ":::", "!!!", "---", "+++", "{", "[^", "\n:", "[TOC", "|", "===")):
        return
    wanted = [content for _, content in fences(source) if content.strip()]
    try:
        text = extract(source).text
    except (NoText, Unreadable):
        return
    assert [content for _, content in fences(text) if content.strip()] == wanted


@pytest.mark.parametrize(
    "code",
    ["{{ .Values.x }}", "{{< x >}}", "{% raw %}", "<Tabs>", "a  b", "<name>", r"\*", "x | y", "$x$", "&lt;"],
)
def test_inline_code_stays_as_it_is(code: str) -> None:
    assert f"`{code}`" in extract(f"Use `{code}` here.").text


def test_inline_code_over_two_lines_and_in_a_table() -> None:
    assert "`a b  c`" in extract("> - x `a\n>   b  c` y\n").text
    assert r"| `a  \| b` |" in extract("| h |\n|---|\n| `a  \\| b` |\n").text


def test_indented_code_becomes_a_fence_with_its_own_indentation() -> None:
    assert fences(extract("a\n\n      two\n    none {{< x >}}\n").text) == [("", "  two\nnone {{< x >}}\n")]


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("sh", "sh"),
        ("YAML", "yaml"),
        ('sh title="x" {1,3}', "sh"),
        ("js{1,3}", "js"),
        ("rust,no_run", "rust"),
        ("{.python .numberLines}", "python"),
        ("{r, echo=FALSE}", "r"),
        ("{code-block} console", "console"),
        ("{#lst:a .cpp .numberLines}", "cpp"),
        ("{#lst:a .numberLines .cpp}", "cpp"),
        ("{#lst:a}", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_fence(info: str, language: str) -> None:
    assert fences(extract(f"```{info}\nx\n```\n").text) == [(language, "x\n")]


# Front matter.


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: A b\ndate: 2024-05-01\nlastmod: 2024-06-02T10:00:00Z\nauthors: [Ann, {name: Bob}]\nlicense: MIT\n---\n# H\n",
        '+++\ntitle = "A b"\ndate = 2024-06-02\nauthor = "Ann, Bob"\nlicense = "MIT"\n+++\n# H\n',
        '{\n "title": "A b", "date": "2024-06-02", "authors": ["Ann", "Bob"], "license": "MIT"\n}\n# H\n',
    ],
)
def test_front_matter_is_read_and_removed(text: str) -> None:
    page = extract(text)
    assert (page.title, page.date, page.authors, page.licence) == ("A b", "2024-06-02", ("Ann", "Bob"), "MIT")
    assert page.found == {"date": "front-matter", "authors": "front-matter", "licence": "front-matter"}
    assert page.text == "# H\n"


def test_a_title_that_the_text_does_not_have_becomes_its_heading() -> None:
    assert extract("---\ntitle: A\n---\ntext\n").text == "# A\n\ntext\n"
    assert extract("text\n\n## First\n").title == "First"


def test_parameters_of_the_page_stand_in_their_places() -> None:
    text = '---\ntitle: T\nbase-url: https://a.b/c\n---\nAt `{{% param "base-url" %}}/d`: {{< param other >}}.\n'
    text += '\n```sh\ncurl {{% param base-url %}}/gpg {{% param "x" %}}\n```\n'
    page = extract(text)
    assert "At `https://a.b/c/d`: .\n" in page.text
    assert fences(page.text) == [("sh", 'curl https://a.b/c/gpg {{% param "x" %}}\n')]


def test_drafts_canonical_and_robots() -> None:
    page = extract("---\ntitle: A\ndraft: true\nrobots: NOINDEX, nofollow\ncanonical_url: https://a.b/c\n---\nx\n")
    assert page.found["draft"] == "front-matter"
    assert page.opt_out == ("nofollow", "noindex")
    assert page.canonical == "https://a.b/c"


def test_records_in_front_matter_are_the_text_where_there_is_little_other() -> None:
    matter = "title: X\nreleases:\n  - cycle: 1.0\n    eol: 2024-01-01\n  - cycle: 2.0\n    eol: false\n"
    assert fences(extract(f"---\n{matter}---\nShort.\n").text) == [("yaml", matter)]
    assert fences(extract(f"---\n{matter}---\n{'Long text. ' * 30}\n").text) == []


def test_data_in_a_fence_at_the_top_are_read_and_stay() -> None:
    text = '```toml\n[advisory]\ndate = "2024-01-02"\nlicense = "CC-BY-4.0"\n[versions]\npatched = []\n```\n\n# A\n'
    page = extract(text)
    assert (page.text, page.title, page.date, page.licence) == (text, "A", "2024-01-02", "CC-BY-4.0")


@pytest.mark.parametrize(
    "matter",
    [
        "a: [" * 2000,
        "- " * 5000 + "x",
        "a: &a [*a]\ntitle: T",
        "title: a: b\n",
        "? " * 3000,
        "x: !!python/object:os.system {}\n",
    ],
)
def test_hostile_front_matter_is_removed(matter: str) -> None:
    page = extract(f"---\nk: v\n{matter}\n---\ntext\n")
    assert page.text.endswith("text\n")
    assert "---" not in page.text


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    facts, rest = split_front_matter("---\nSome text.\n\n---\nmore\n")
    assert not facts.found
    assert rest.startswith("---")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-1-5 10:00 +0100", "2024-01-05"),
        ("08/07/2024", "2024-08-07"),
        ("Jan 5, 2024", "2024-01-05"),
        ("5 January 2024", "2024-01-05"),
        ("2024-13-40", ""),
        ("soon", ""),
    ],
)
def test_days(value: str, day: str) -> None:
    assert iso_date(value) == day


# Dialects: what stays, what goes.


@pytest.mark.parametrize(
    ("source", "kept", "gone"),
    [
        ('{{< tip title="T" >}}in **it**{{< /tip >}}', ["T", "in **it**"], ["tip", "{{"]),
        ("a {{< param v >}} b {{% x %}}", ["a", "b"], ["{{", "param"]),
        ('{{< figure src="a.png" caption="The plan" >}}', ["The plan"], ["a.png"]),
        ('{{< term text="pods" id="p" >}}', ["pods"], ["{{"]),
        ("{{< comment >}}no{{< /comment >}}yes", ["yes"], ["no"]),
        ("use {{</* x */>}}", ["{{< x >}}"], ["*"]),
        ('{{% tab "Mac" %}}\nx\n{{% /tab %}}', ["**Mac**", "x"], ["{{"]),
        ("{% include a.html %}{% if x %}in{% endif %}", ["in"], ["{%", "include"]),
        ("{% raw %}{{ keep }}{% endraw %}", ["{{ keep }}"], ["raw"]),
        ("{% nothing known %}", ["{% nothing known %}"], []),
        ("[a](b){:target=_blank} c\n{: .class }", ["a c"], ["{", "class"]),
        ("* TOC\n{:toc}\n\nx", ["x"], ["TOC", "toc"]),
        ("[!INCLUDE [name](file.md)]\n\nx", ["x"], ["INCLUDE", "name"]),
        (':::image type="content" source="a.png" alt-text="Shot of A.":::', ["Shot of A."], [":::", "a.png"]),
        (':::zone pivot="a"\nx\n:::zone-end', ["x"], [":::", "zone"]),
        ("> [!IMPORTANT]\n> x", ["> **Important**", "> x"], ["[!"]),
        ('> [!div class="checklist"]\n> - x', ["x"], ["div"]),
        (":::note Heads up\nx\n:::", ["Heads up", "x"], [":::"]),
        ("::: tip\nx\n:::", ["Tip", "x"], [":::"]),
        (":::::: challenge\n## H\n\n::: solution\ny\n:::\n::::::", ["Challenge", "Solution", "y"], [":::"]),
        ("```{warning}\nx **y**\n```", ["Warning", "x **y**"], ["```"]),
        (":::{note} T\nx\n:::", ["T", "x"], ["{note}"]),
        ("(label)=\n# A\n\nsee {ref}`B <b>`", ["see B"], ["label", "{ref}", "<b>"]),
        ('=== "Linux"\n\n    x\n\n=== "Mac"\n\n    y', ["**Linux**", "x", "**Mac**", "y"], ["==="]),
        ('--8<-- "a.md"\n\nx', ["x"], ["8<"]),
        ("<!-- toc -->\n- [a](#a)\n<!-- /toc -->\nx", ["x"], ["a"]),
        ("<!-- note to self -->x", ["x"], ["self"]),
        (
            "[a][b] ![alt](c.png) <https://d.e> https://f.g\n\n[b]: http://h 'i'",
            ["a alt https://d.e https://f.g"],
            ["h 'i'", "c.png"],
        ),
        ("Set <name> or <path>, not <b>this</b>.", ["<name>", "<path>", "**this**"], ["<b>"]),
        ("A<sup>2</sup> <a name='x'></a>B", ["B"], ["name"]),
        ("<x-y>in</x-y>", ["in"], ["x-y"]),
        ("Head\n====\nx", ["# Head"], ["===="]),
        ("a[^1]\n\n[^1]: Foot", ["[^1]", "[^1]: Foot"], []),
        ("- [ ] todo", ["[ ] todo"], []),
        ("a { #id }\n\n# H {#id .c}", ["# H"], [".c"]),
        # Kubernetes, GitHub, HashiCorp, Elastic, Datadog, Nix
        ('## {{% heading "whatsnext" %}}\n\nx', ["## What's next"], ["{{"]),
        ('A {{< glossary_tooltip term_id="cloud-x" >}} b', ["A cloud x b"], []),
        (
            "On {% data variables.product.prodname_actions %} and {% data variables.a.b_c %}.",
            ["On GitHub Actions and B c."],
            [],
        ),
        ("{% data variables.product.prodname_github_apps %}", ["GitHub Apps"], []),
        ("See [AUTOTITLE](/a/b-c-d#e).", ["See b c d."], ["AUTO"]),
        ('**{% octicon "gear" aria-hidden="true" %} Settings**', ["**Settings**"], ["octicon"]),
        ("{% webui %}\nx\n{% endwebui %}", ["x"], ["{%"]),
        ('{% code title="a.sh" %}\n```sh\nx\n```\n{% endcode %}', ["**a.sh**", "x"], ["{%"]),
        (
            '{% alert level="info" %}\nx\n{% /alert %}\n\n{% tab label="T" %}\ny\n{% /tab %}',
            ["> x", "**T**", "y"],
            ["{%"],
        ),
        ('a {% img src="b" alt="Pic" /%} c', ["a Pic c"], ["{%"]),
        ("~> **Note**: x\n\n-> y", ["> **Note**: x", "> y"], ["~"]),
        ("@include 'a.mdx'\n\nx @include 'b'", ["x @include 'b'"], ["a.mdx"]),
        ("# On {{es}} [on-es]\n\nUse {{esql}}. {{other}}", ["# On Elasticsearch\n", "Use ES|QL. {{other}}"], ["on-es"]),
        ("Use {{esql}}.", ["{{esql}}"], []),
        ("## Kinds [#kinds]\n\nx [#1]", ["## Kinds\n", "x [#1]"], ["#kinds"]),
        ("$$$a-b$$$\n\nx {applies_to}`stack: ga`\n\n```{applies_to}\nstack: ga\n```", ["x"], ["a-b", "stack"]),
        (":::{image} a.png\n:alt: Pic\n:::\n\n:::{include} b.md\n:::\n\nx", ["Pic", "x"], ["a.png", "b.md", ":::"]),
        (":::{include} b.md\n\nx", ["x"], ["b.md"]),
        ("::: {.example #ex-a}\nx\n:::\n\n[]{#b}`y`{.nix}", ["x", "`y`"], ["ex-a", "#b", "{"]),
        ("| a |\n| --- |\n| b |\n{.wide}\n\n![P](p.png) {.x}\n{style='a'}", ["| b |", "P"], ["{", "wide"]),
        ("[a b]{#a-b}\n: c {#d}\n\nTable: T. {#tbl:t}", ["a b", "T."], ["{", "["]),
        ('The set `{a="b"}` and {#}', ['`{a="b"}` and {#}'], []),
        (":orphan:\n\n# A\n\n:x: ok", ["# A", "❌ ok"], ["orphan"]),
        ("a :heavy_check_mark: b::x::c", ["a ✔ b::x::c"], []),
        (":::{table} T\n:name: n\n\n| a |\n| --- |\n| b |\n:::", ["**T**", "| b |"], ["name"]),
        (
            "# A\n\n### [Azure CLI](#tab/azure-cli)\nx\n\n> ## [B](#tab/b)\n\n---",
            ["**Azure CLI**\n\nx", "> **B**"],
            ["##", "tab/"],
        ),
        ('> [!div class="nextstepaction"]\n> [Run it](u)\n\nx', ["x"], ["Run"]),
    ],
)
def test_dialects(source: str, kept: list[str], gone: list[str]) -> None:
    text = extract(source).text
    assert [each for each in kept if each not in text] == []
    assert [each for each in gone if each in text] == []


def test_the_name_of_a_file_of_code_stands_above_it() -> None:
    source = """
        Text
        ```ini title="local.ini"
        x
        ```

        - ```sh {1} filename='a_b.sh'
          y
          ```
        - Item
          ```yaml title="v.yaml"
          z: 1
          ```

        ```md
        ~~~sh title="inner"
        ~~~
        ```
        """
    text = extract_block(source).text
    assert fences(text) == [("ini", "x\n"), ("sh", "y\n"), ("yaml", "z: 1\n"), ("md", '~~~sh title="inner"\n~~~\n')]
    assert text.startswith("Text\n\n**local.ini**\n\n```ini\n")
    assert "- **a_b.sh**\n\n  ```sh\n" in text
    assert "- Item\n\n  **v.yaml**\n\n  ```yaml\n" in text


def test_shortcodes_whose_text_is_code() -> None:
    page = extract_block(
        """
        {{< highlight go "linenos=table" >}}
        # no heading
        \t`x` {{ .Y }}
        {{< /highlight >}}

        {% highlight sh %}
        $ ls
        {% endhighlight %}

        {{< tab name="Bash" codelang="bash" >}}
        echo "*"
        {{< /tab >}}

        - item

          {{< code lang="yaml" >}}
          a:
            b: 1
          {{< /code >}}

        {{< text syntax=bash snip_id=none >}}
        $ a <<EOF
        # b
        {{< /text >}}

        {{< code-block lang="yaml" filename="c.yaml" >}}
        c: {{ d }}
        {{< /code-block >}}

        {{< highlight sh >}} never closed
        """
    )
    assert fences(page.text) == [
        ("go", "# no heading\n\t`x` {{ .Y }}\n"),
        ("sh", "$ ls\n"),
        ("bash", 'echo "*"\n'),
        ("yaml", "a:\n  b: 1\n"),
        ("bash", "$ a <<EOF\n# b\n"),
        ("yaml", "c: {{ d }}\n"),
    ]
    assert "**Bash**" in page.text
    assert "**c.yaml**" in page.text
    assert "never closed" in page.text


def test_a_raw_wrapper_goes_from_around_a_fence_and_nothing_within() -> None:
    page = extract("{% raw %}\n```yaml\na: {{ .Values }}\n{% if x %}\n```\n{% endraw %}\n")
    assert page.text == "```yaml\na: {{ .Values }}\n{% if x %}\n```\n"


def test_mkdocs_blocks_are_opened_at_every_depth() -> None:
    page = extract_block(
        """
        !!! warning "Mind `this`"
            Text

            ```sh
            a
              b

            c
            ```

            ??? note
                inner

                    indented code
        after

        - item

            !!! tip
                in the item

                ```yaml
                x: 1
                ```
        """
    )
    assert fences(page.text) == [("sh", "a\n  b\n\nc\n"), ("", "indented code\n"), ("yaml", "x: 1\n")]
    assert "!!!" not in page.text
    assert "\nafter\n" in page.text


def test_mdx() -> None:
    page = extract_block(
        """
        import Tabs from '@theme/Tabs';
        import {
          A,
        } from "b";

        export const c = {
          d: 1,
        };

        # Title

        import duties are prose.

        <Tabs groupId="x" values={[{label: 'A > B', value: 'a'}]}>
        <TabItem value="npm" label="NPM">

        ```js
        import e from 'f'
        <G h={1}>
        ```

        </TabItem>
        </Tabs>

        <Admonition type="danger" title="Hot">
        Careful
        </Admonition>

        {/* hidden */} Use <Term id="t">this</Term>, <YOUR_KEY> and Map<K>.

        <img src={require('./x.png')} alt="A picture" style={{width: 3}} />
        """,
        "docs/a.mdx",
    )
    assert fences(page.text) == [("js", "import e from 'f'\n<G h={1}>\n")]
    for kept in (
        "import duties are prose.",
        "**NPM**",
        "Hot",
        "Careful",
        "Use this, <YOUR_KEY> and Map<K>.",
        "A picture",
    ):
        assert kept in page.text
    for gone in ("theme", "const", "A > B", "hidden", "require", "width", "Term", "Admonition", "A,"):
        assert gone not in prose(page.text)


def test_text_between_the_tags_of_mdx_is_no_code() -> None:
    page = extract_block(
        """
        1. Step

           <Tabs>
             <Tab title={<b>Mac</b>}>
               Text

               ```sh
               if x; then
                 y
               ```
             </Tab>
           </Tabs>

        <Callout
          variant="important"
          a={{
            b: 1
          }}
        >
            Take *care*

            of this.
        </Callout>

        ```js
        <Tab>
            z
        ```
        """,
        name="a.mdx",
    )
    assert fences(page.text) == [("sh", "if x; then\n  y\n"), ("js", "<Tab>\n    z\n")]
    assert "   **Mac**\n\n   Text\n" in page.text
    assert "> **Important**\n>\n> Take *care*\n>\n> of this.\n" in page.text


def test_html_blocks_with_markdown_inside() -> None:
    page = extract_block(
        """
        <details>
        <summary>More</summary>

        ```sh
        ls <name>
        ```

        </details>

        <table><tr><td>

        ```sql
        SELECT 1
        ```

        </td><td>b</td></tr></table>

        <pre>
        {{< x >}}
          y
        </pre>
        """
    )
    assert ("sh", "ls <name>\n") in fences(page.text)
    assert ("sql", "SELECT 1\n") in fences(page.text)
    assert ("", "{{< x >}}\n  y\n") in fences(page.text)
    assert "More" in page.text


def test_licence_in_a_comment() -> None:
    page = extract("<!-- SPDX-License-Identifier: CC-BY-4.0 OR MIT -->\n# A\n")
    assert (page.licence, page.found) == ("CC-BY-4.0 OR MIT", {"licence": "spdx-comment"})


def test_nothing_but_tags_is_no_text() -> None:
    with pytest.raises(NoText):
        extract("---\ntitle: A\n---\n{{< x >}}\n<!-- y -->\n")


@pytest.mark.parametrize(
    "source",
    [
        "> " * 5000 + "x",
        "- " * 5000 + "x",
        "<div>" * 5000,
        "[" * 20000,
        "![" * 20000,
        "*a " * 20000,
        "`" * 5000 + " " + "`" * 4999,
        "{{< a" * 10000,
        "{% if " * 10000,
        "{% raw %}" * 10000,
        "{{< highlight sh >}}\n" * 3000,
        ":::note\n" * 5000,
        "!!! a\n" * 5000,
        "<Tabs a={" * 5000,
        "<!--" * 20000,
        "<a " * 20000,
        "```{note}\n" * 5000,
        ":" * 100000 + "x",
        "!!! note " + " " * 50000 + 'x"',
        "[!INCLUDE [" * 10000,
        "import {\n" * 3000,
        "x {: " * 20000,
        "$" * 30000,
        "|a" * 20000 + "\n" + "|-" * 20000,
        "<" + "a" * 50000,
    ],
)
def test_hostile_texts_are_read_or_refused(source: str) -> None:
    try:
        page = extract(source)
    except (Unreadable, NoText):
        return
    assert page.text.endswith("\n")


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("{}<>%[]!:;=\"'`~#*-_ \n\t|$\\/abNOTE1.")))
def test_any_text_is_read(source: str) -> None:
    try:
        page = extract(source)
    except (NoText, Unreadable):
        return
    assert page.text.endswith("\n")
    assert not page.text.endswith("\n\n")
    assert "\r" not in page.text


def test_the_language_of_a_span_of_code_is_no_part_of_it() -> None:
    assert extract_markdown(b"`#!c int x;` and `#!/bin/sh -e`\n", None, "a.md", LIMITS).text == (
        "`int x;` and `#!/bin/sh -e`\n"
    )
