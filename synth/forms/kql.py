"""Queries in the Kusto Query Language on a schema that the document states; each is parsed, and its names looked up."""

from __future__ import annotations

from manifests.synthesis import Kind
from synth.checks.answers import fenced, read_json, sentence
from synth.checks.kql_grammar import Node, parse
from synth.checks.kql_names import Schema, unknown_names
from synth.checks.kql_schema import schema_of
from synth.checks.kql_tokens import KqlError
from synth.forms import Reading


def read(kind: Kind, answer: str, document: str) -> Reading:
    """An answer: {"items": [{"request", "query", "explanation"}]}.

    Problems: broken_json, schema, no_schema (of the document), invalid_query, unknown_table, unknown_column,
    unknown_function, trivial_query (it says no more than a table), repeated_item. One bad query is enough: the
    teacher knows no better.
    """
    value, problems = read_json(answer, kind.response_schema)
    if problems:
        return Reading("", problems)
    schema = schema_of(document)
    if not schema.tables:
        return Reading("", [("no_schema", "the document states no table")])
    parts = [document.strip(), "## Queries"]
    seen: set[str] = set()
    for item in value["items"]:
        query = item["query"].strip()
        problems += check(query, schema)
        words = " ".join(query.split())
        if words in seen:
            problems.append(("repeated_item", words[:80]))
        seen.add(words)
        parts += [f"### {sentence(item['request'])}", fenced(query, "kusto"), sentence(item["explanation"])]
    return Reading("\n\n".join(parts) + "\n", problems)


def check(query: str, schema: Schema) -> list[tuple[str, str]]:
    """What is wrong with a query on a schema: (reason, what and where)."""
    try:
        tree = parse(query)
    except KqlError as error:
        line = query.count("\n", 0, error.at) + 1
        return [("invalid_query", f"line {line}, column {error.at - query.rfind(chr(10), 0, error.at)}: {error}")]
    if not any(_says_something(each) for each in tree.parts):
        return [("trivial_query", query[:80])]
    return unknown_names(tree, schema)


def _says_something(statement: Node) -> bool:
    return statement.kind not in ("let", "setting", "declare", "name", "literal")
