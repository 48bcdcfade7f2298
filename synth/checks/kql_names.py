"""Which names a query in the Kusto Query Language uses that are not there: tables, columns, functions.

Columns are followed from operator to operator: what `extend`, `project`, `summarize` and `let` make is known behind
them. Behind an operator whose columns follow from data (`evaluate bag_unpack`, `search`) every column may be.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from synth.checks.kql_functions import FUNCTIONS, PLUGINS, TABULAR
from synth.checks.kql_grammar import Node
from synth.checks.kql_tokens import unquoted


@dataclass(frozen=True)
class Schema:
    """Tables by name with their columns by name, and in which database of which cluster they are; "": any."""

    tables: Mapping[str, frozenset[str]]
    cluster: str = ""
    database: str = ""


@dataclass(frozen=True)
class Columns:
    """Of a table; `some`: there may be others."""

    names: frozenset[str]
    some: bool = False

    def plus(self, names: Iterable[str], some: bool = False) -> Columns:
        return Columns(self.names | frozenset(names), self.some or some)


@dataclass(frozen=True)
class _Scope:
    """What names mean at a place: `values` of `let`; `tables` of `let`, and of the schema by way of it; functions, None
    where they make a value; the columns at hand, None outside a table; those of the two sides of a join."""

    schema: Schema
    values: frozenset[str] = frozenset()
    tables: Mapping[str, Columns] = field(default_factory=dict)
    functions: Mapping[str, Columns | None] = field(default_factory=dict)
    columns: Columns | None = None
    sides: tuple[Columns, Columns] | None = None


_ANY = Columns(frozenset(), True)
_Report = Callable[[str, str, int], None]


def unknown_names(query: Node, schema: Schema) -> list[tuple[str, str]]:
    """(unknown_table | unknown_column | unknown_function, name), each once, in the order of the query."""
    found: dict[tuple[str, str], int] = {}

    def report(reason: str, name: str, at: int) -> None:
        found.setdefault((reason, name[:80]), at)

    _statements(query, _Scope(schema), report)
    return sorted(found, key=lambda each: found[each])


def _statements(node: Node, scope: _Scope, report: _Report) -> Columns | None:
    """What the last statement makes: a table's columns, or None for a value."""
    made: Columns | None = None
    for statement in node.parts:
        if statement.kind == "let":
            scope = _let(statement, scope, report)
        elif statement.kind == "declare":
            scope = replace(scope, values=scope.values | {each.text for each in statement.parts})
        elif statement.kind != "setting":
            made = _value(statement, scope, report)
    return made


def _let(statement: Node, scope: _Scope, report: _Report) -> _Scope:
    (what,) = statement.parts
    name = statement.text
    if what.kind == "function":
        *parameters, body = what.parts
        inner = replace(
            scope,
            values=scope.values | {each.text for each in parameters if each.kind == "parameter"},
            tables={**scope.tables, **{each.text: _row(each.parts[0].text) for each in parameters if each.parts}},
        )
        return replace(scope, functions={**scope.functions, name: _statements(body, inner, report)})
    made = _value(what, scope, report)
    if made is None:
        return replace(scope, values=scope.values | {name})
    return replace(scope, tables={**scope.tables, name: made})


def _row(names: str) -> Columns:
    return _ANY if names == "*" else Columns(frozenset(each for each in names.split(",") if each))


# Values and tables


def _value(node: Node, scope: _Scope, report: _Report) -> Columns | None:
    """The columns of what is a table; None for a value, whose names are checked."""
    if node.kind == "pipe":
        source, *operators = node.parts
        columns = _table(source, scope, report)
        return _through(operators, columns, scope, report)
    if node.kind in ("datatable", "range", "print", "union", "search", "find", "evaluate"):
        return _table(node, scope, report)
    if node.kind == "name":
        return _name(node, scope, report)
    if node.kind == "call":
        return _call(node, scope, report)
    if node.kind == "path":
        return _steps(node, scope, report)
    for part in node.parts:
        _value(part, scope, report)
    return None


def _table(node: Node, scope: _Scope, report: _Report) -> Columns:
    """The columns of what must be a table."""
    outside = replace(scope, columns=None, sides=None)
    if node.kind == "datatable":
        return _row(node.text)
    if node.kind == "range":
        _each(node.parts, outside, report)
        return Columns(frozenset((node.text,)))
    if node.kind == "print":
        _each(node.parts, outside, report)
        return Columns(_made(node.parts) | {f"print_{at}" for at in range(len(node.parts))})
    if node.kind in _OPERATORS:
        return _OPERATORS[node.kind](node, Columns(frozenset()), outside, report)
    if node.kind == "pattern":
        return _pattern(node, outside)
    if node.kind == "name":
        known = _named_table(node.text, outside)
        if known is None and node.text not in outside.values:
            report("unknown_table", node.text, node.at)
        return known or _ANY
    found = _value(node, outside, report)
    return _ANY if found is None else found


def _named_table(name: str, scope: _Scope) -> Columns | None:
    if name in scope.tables:
        return scope.tables[name]
    if name in scope.schema.tables:
        return Columns(scope.schema.tables[name])
    return scope.functions.get(name)


def _pattern(node: Node, scope: _Scope) -> Columns:
    fits = re.compile(fnmatch.translate(node.text)) if node.text.count("*") <= 4 else re.compile("")
    fitting = [names for name, names in scope.schema.tables.items() if fits.match(name)]
    return Columns(frozenset().union(*fitting), not fitting)


def _name(node: Node, scope: _Scope, report: _Report) -> Columns | None:
    """A name alone: a column where there are columns, else a value or a table."""
    name = node.text
    if scope.columns is not None and name in scope.columns.names:
        return None
    if name in scope.values or (name in ("$left", "$right") and scope.sides):
        return None
    known = _named_table(name, scope)
    if known is not None:
        return known
    if scope.columns is None:
        report("unknown_table", name, node.at)
        return _ANY
    if not scope.columns.some:
        report("unknown_column", name, node.at)
    return None


def _call(node: Node, scope: _Scope, report: _Report) -> Columns | None:
    name = node.text
    if name in ("cluster", "database"):
        _place(node, scope, report)
        return None
    if name in ("table", "materialized_view", "external_table", "stored_query_result"):
        literal = node.parts[0] if node.parts and node.parts[0].kind == "literal" else None
        return _ANY if literal is None else _table(Node("name", literal.at, unquoted(literal.text)), scope, report)
    if name in ("materialize", "toscalar", "totable") and node.parts:
        columns = _table(node.parts[-1], scope, report)
        return None if name == "toscalar" else columns
    _each(node.parts, scope, report)
    if name in scope.functions:
        return scope.functions[name]
    if name in TABULAR:
        return _ANY
    if name not in FUNCTIONS:
        report("unknown_function", name, node.at)
    return None


def _place(node: Node, scope: _Scope, report: _Report) -> None:
    """`cluster("...")` and `database("...")` are those of the schema."""
    known = scope.schema.cluster if node.text == "cluster" else scope.schema.database
    arguments = [each for each in node.parts if each.kind == "literal"]
    if known and arguments and unquoted(arguments[-1].text).casefold() != known.casefold():
        report("unknown_table", f"{node.text}({arguments[-1].text})", node.at)


def _steps(node: Node, scope: _Scope, report: _Report) -> Columns | None:
    """`a.b`: a step into a value, a column of a side of a join, or a table of a database."""
    of, *steps = node.parts
    first, last = steps[0], steps[-1]
    if of.kind == "call" and of.text in ("cluster", "database"):
        for place in (of, *(each for each in steps if each.kind == "call" and each.text == "database")):
            _place(place, scope, report)
        return _table(Node("name", last.at, last.text), scope, report) if last.kind == "step" else _ANY
    if of.kind == "name" and of.text in ("$left", "$right") and scope.sides:
        side = scope.sides[of.text == "$right"]
        if first.kind == "step" and first.text not in side.names and not side.some:
            report("unknown_column", f"{of.text}.{first.text}", first.at)
        return None
    _value(of, scope, report)
    for step in steps:
        _each(step.parts, scope, report)
    return None


def _each(nodes: Iterable[Node], scope: _Scope, report: _Report) -> None:
    for node in nodes:
        _value(node, scope, report)


# Columns that expressions make


def _made(nodes: Iterable[Node]) -> frozenset[str]:
    """The columns of expressions: their names, or those that the engine gives them."""
    found: set[str] = set()
    for at, node in enumerate(nodes):
        if node.kind == "named":
            found.update(node.text.split(","))
        else:
            found |= _given(node) or {f"Column{at + 1}"}
    return frozenset(found)


_SHORT = {"make_list": "list", "make_set": "set", "makelist": "list", "makeset": "set", "make_bag": "bag"}


def _given(node: Node) -> set[str]:
    """How the engine may call an expression without a name; nothing: by its place.

    A function's result is called as a column that it is of, an aggregate's with the function before it.
    """
    columns = _columns_of(node, 20)
    if node.kind != "call":
        return set(columns)
    function = _SHORT.get(node.text, node.text)
    found = {*columns, f"{node.text}_", *(f"{function}_{each}" for each in columns)}
    if node.text in ("arg_max", "arg_min", "take_any", "any"):
        found |= {f"{how}_{each}" for how in ("max", "min", "any") for each in columns}
    if node.text.startswith("percentile"):
        marks = [each.text.replace(".", "_") for each in node.parts[:20] if each.kind == "literal"]
        found |= {f"percentile_{each}_{mark}" for mark in marks for each in columns}
    if node.text == "series_decompose_anomalies":
        found |= {f"{node.text}_{each}_ad_{what}" for what in ("flag", "score") for each in columns}
    return found


def _columns_of(node: Node, most: int) -> list[str]:
    """The columns that an expression is or that a call is of, in their order."""
    if node.kind == "name":
        return [node.text]
    if node.kind == "path":
        return _path(node)
    found: list[str] = []
    for part in node.parts if node.kind == "call" else ():
        if len(found) < most:
            found += _columns_of(part, most - len(found))
    return found[:most]


def _path(node: Node) -> list[str]:
    """`a.b["c"]` as the columns that it may make: a_b_c, and c."""
    of, *steps = node.parts
    names = [of.text] if of.kind == "name" else [""]
    for step in steps:
        literal = unquoted(step.parts[0].text) if step.parts and step.parts[0].kind == "literal" else ""
        names.append(step.text if step.kind == "step" else literal)
    return ["_".join(names), names[-1]] if all(names) else []


# Operators


def _through(operators: Iterable[Node], columns: Columns, scope: _Scope, report: _Report) -> Columns:
    for operator in operators:
        inside = replace(scope, columns=columns)
        if operator.kind == "as":
            scope = replace(scope, tables={**scope.tables, operator.text: columns})
        elif operator.kind in _OPERATORS:
            columns = _OPERATORS[operator.kind](operator, columns, inside, report)
        else:
            _each(operator.parts, inside, report)
    return columns


def _extend(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    _each(node.parts, scope, report)
    return columns.plus(_made(node.parts))


def _project(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    _each(node.parts, scope, report)
    if any(each.kind == "star" for each in node.parts):
        return columns
    return Columns(_made(node.parts))


def _rename(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    _each(node.parts, scope, report)
    old = {each.parts[0].text for each in node.parts if each.kind == "named"}
    return Columns(columns.names - old, columns.some).plus(_made(node.parts))


def _chosen(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    """`project-away`, `project-keep`, `project-reorder`."""
    fit: set[str] = set()
    for part in node.parts:
        if part.kind != "pattern":
            _value(part, scope, report)
            fit.add(part.text)
        elif part.text.count("*") <= 4:
            fits = re.compile(fnmatch.translate(part.text))
            fit |= {each for each in columns.names if fits.match(each)}
    if node.kind == "project-reorder":
        return columns
    if node.kind == "project-away":
        return Columns(columns.names - fit, columns.some)
    return Columns(frozenset(fit), columns.some and any(each.kind == "pattern" for each in node.parts))


def _summarize(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    aggregates, by = node.parts[0].parts, node.parts[-1].parts
    _each((*aggregates, *by), scope, report)
    made = Columns(_made(aggregates) | _made(by))
    calls = [each.parts[0] if each.kind == "named" else each for each in aggregates]
    if any(part.kind == "star" for call in calls for part in call.parts):
        return made.plus(columns.names, columns.some)  # arg_max(of, *)
    extra = [call.parts[1:] for call in calls if call.kind == "call" and call.text in ("arg_max", "arg_min")]
    return made.plus(name for parts in extra for name in _made(parts))


def _series(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    aggregates, axis, by, limits = node.parts
    _each((*aggregates.parts, axis, *by.parts), scope, report)
    _each(limits.parts, scope, report)
    return Columns(_made(aggregates.parts) | _made((axis,)) | _made(by.parts))


def _join(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    table, on = node.parts
    right = _table(table, scope, report)
    for condition in on.parts:
        if condition.kind == "name":
            for side in (columns, right):
                _value(condition, replace(scope, columns=side), report)
        else:
            _value(condition, replace(scope, columns=columns, sides=(columns, right)), report)
    if node.text.startswith(("leftanti", "leftsemi", "anti")):
        return columns
    if node.text.startswith(("rightanti", "rightsemi")):
        return right
    if node.kind == "lookup":
        return columns.plus(right.names, right.some)
    return columns.plus({name if name not in columns.names else f"{name}1" for name in right.names}, right.some)


def _union(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    for part in node.parts:
        other = _table(part, scope, report)
        columns = columns.plus(other.names, other.some)
    return columns.plus([node.text] if node.text else [])


def _expand(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    _each(node.parts, scope, report)
    return columns.plus(_made(node.parts) | ({node.text} if node.text else frozenset()))


def _apply(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    expanded, operators = node.parts
    _each(expanded.parts, scope, report)
    inner = columns.plus(_made(expanded.parts) | ({node.text} if node.text else frozenset()))
    outside = replace(scope, columns=None)
    made = _through(operators.parts, inner, outside, report)
    return columns.plus(made.names, made.some)


def _parsed(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    of, *made = node.parts
    _value(of, scope, report)
    return columns.plus(each.text for each in made)


def _evaluated(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    (call,) = node.parts
    if call.text not in PLUGINS and call.text not in FUNCTIONS:
        report("unknown_function", call.text, call.at)
    _each(call.parts, replace(scope, columns=columns.plus((), True)), report)
    return _row(node.text) if node.text else columns.plus((), True)


def _searched(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    for part in node.parts:
        _table(part, scope, report)
    return _ANY


def _forked(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    """`fork` and `partition`: the operators in parentheses go on from the same columns."""
    outside = replace(scope, columns=None)
    made = Columns(frozenset())
    for part in node.parts:
        if part.kind == "list":
            each = _through(part.parts, columns, outside, report)
            made = made.plus(each.names, each.some)
        elif node.kind == "partition" and part.kind == "pipe":
            made = _table(part, outside, report)
        else:
            _value(part, scope, report)
    return made


def _opened(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    """Operators whose columns are not told here."""
    _each(node.parts, scope, report)
    return columns.plus((), True)


def _counted(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    return Columns(frozenset((node.text,)))


def _reduced(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    _each(node.parts, scope, report)
    return Columns(frozenset(("Pattern", "Count", "Representative")))


def _described(node: Node, columns: Columns, scope: _Scope, report: _Report) -> Columns:
    return Columns(frozenset(("ColumnName", "ColumnOrdinal", "DataType", "ColumnType")))


_OPERATORS: dict[str, Callable[[Node, Columns, _Scope, _Report], Columns]] = {
    **dict.fromkeys(("extend", "serialize"), _extend),
    **dict.fromkeys(("project", "distinct"), _project),
    **dict.fromkeys(("project-away", "project-keep", "project-reorder"), _chosen),
    **dict.fromkeys(("join", "lookup"), _join),
    **dict.fromkeys(("mv-expand", "mvexpand"), _expand),
    **dict.fromkeys(("mv-apply", "mvapply"), _apply),
    **dict.fromkeys(("search", "find"), _searched),
    **dict.fromkeys(("fork", "partition"), _forked),
    **dict.fromkeys(("sample-distinct", "top-hitters", "top-nested", "project-by-names", "invoke"), _opened),
    "count": _counted,
    "evaluate": _evaluated,
    "getschema": _described,
    "make-series": _series,
    "parse": _parsed,
    "project-rename": _rename,
    "reduce": _reduced,
    "summarize": _summarize,
    "union": _union,
}
