"""Files of code: one heading, one fence, the text byte for byte; their languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Unreadable
from pipelines.extract.source_code import extract_source_code, language_of

LIMITS = ExtractSettings()


@pytest.mark.parametrize(
    ("name", "first_line", "language"),
    [
        ("infra/main.tf", "", "hcl"),
        ("deploy/azure.bicep", "", "bicep"),
        ("Dockerfile", "", "dockerfile"),
        ("docker/Dockerfile.gpu", "", "dockerfile"),
        ("prod.dockerfile", "", "dockerfile"),
        ("https://a.b/c/Makefile?raw=1", "", "makefile"),
        ("chart/templates/_helpers.tpl", "", "gotmpl"),
        ("chart/values.yaml", "", "yaml"),
        ("chart/values.yaml.example", "", "yaml"),
        ("templates/unit.service.j2", "", "ini"),
        ("templates/readme.j2", "", "jinja"),
        ("etc/foo.service", "", "ini"),
        ("etc/nginx/site.conf", "", "nginx"),
        ("etc/haproxy.cfg", "", "conf"),
        ("stack.template", "{", "json"),
        ("stack.template", "AWSTemplateFormatVersion: x", "yaml"),
        ("hunting/a.KQL", "", "kusto"),
        ("a.sql", "", "sql"),
        ("kernel.cu", "", "cuda"),
        ("a.c", "", "c"),
        ("a.hpp", "", "cpp"),
        ("a.rs", "", "rust"),
        ("CMakeLists.txt", "", "cmake"),
        ("alerts.rules", "groups:", "yaml"),
        ("99-net.rules", 'ACTION=="add"', "rules"),
        ("pkg.spec", "Name: x", "rpmspec"),
        ("ietf-if.yang", "module x {", "yang"),
        ("list.workbook", "{", "json"),
        ("recipe.bb", "", "bitbake"),
        (".bashrc", "", "bash"),
        ("bin/run", "#!/bin/sh", "sh"),
        ("bin/run", "#! /usr/bin/env -S LANG=C python3.11 -u", "python"),
        ("bin/run", "#!/usr/bin/env bash", "bash"),
        ("bin/run", "#!/usr/sbin/unknown", None),
        ("bin/run", "#!/usr/bin/env", None),
        ("bin/run", "#!", None),
        ("https://get.example.rs/", "", None),
        ("https://example.sh", "", None),
        ("notes.txt", "", None),
        ("table.csv", "", None),
        ("README", "", None),
        ("LICENSE", "", None),
        ("", "", None),
        ("yaml", "", None),
    ],
)
def test_language_of(name: str, first_line: str, language: str | None) -> None:
    assert language_of(name, first_line) == language


def test_a_file_is_a_heading_and_a_fence() -> None:
    page = extract_source_code(b"a:\r\n\tb: ```x```\n\n", None, "k8s/a.yaml", LIMITS)
    assert page.text == "# k8s/a.yaml\n\n````yaml\na:\n\tb: ```x```\n````\n".replace("````", "````")
    assert (page.title, page.method, page.licence) == ("k8s/a.yaml", "source", "")


def test_the_licence_that_the_file_states() -> None:
    page = extract_source_code(
        b"// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note\nint x;\n", None, "a.h", LIMITS
    )
    assert page.licence == "GPL-2.0-only WITH Linux-syscall-note"
    assert page.found == {"licence": "spdx-comment"}


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"\x7fELF\x02", Unreadable), (b"ab\0c", Unreadable), (b"", Unreadable), (b"\xef\xbb\xbf\n\n", NoText)],
)
def test_what_is_no_code(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        extract_source_code(body, None, "a.sh", LIMITS)


@given(st.lists(st.text(st.sampled_from("`~ \t#<{}\\abé-"), max_size=12), min_size=1, max_size=8))
def test_any_code_is_read_back(lines: list[str]) -> None:
    code = "\n".join(lines).rstrip("\n")
    if not code.strip():
        return
    page = extract_source_code(code.encode(), "text/plain; charset=utf-8", "a.sh", LIMITS)
    (token,) = (each for each in MarkdownIt("commonmark").parse(page.text) if each.type == "fence")
    assert (token.info, token.content) == ("sh", code + "\n")
