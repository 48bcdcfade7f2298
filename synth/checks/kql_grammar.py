"""A parser of the Kusto Query Language: of what queries are made of in Kql.g4 (microsoft/Kusto-Query-Language).

Statements: `let` of values, tables and functions; `set`, `declare query_parameters`, `alias database`,
`restrict access`; queries. Of the operators `scan`, `facet`, `macro-expand`, those of graphs, and the engine's own are
left out. Precedence is not told, as it decides neither what is a query nor what its names mean. Recursive descent, with
tokens ahead only for names before `=`; as deep as DEEPEST; linear in the query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synth.checks.kql_tokens import KqlError, Token, tokens, unquoted, words

#: Parentheses, brackets and braces in one another.
DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a query. `kind` says what `text` and `parts` are:

    expressions: `name` (text), `literal` (text), `pattern` (a name with `*`), `star`, `call` (text: the function;
    parts: arguments), `path` (parts: of what, steps: `step`, `element`, `call`), `several` (parts: operands),
    `named` (text: the name; parts: the expression), `names` (text, with commas), `pipe` (parts: source, operators),
    `datatable` and `externaldata` (text: columns, with commas), `range` (text: the column);
    operators: their keyword, with parts and text as their function below says; `list`: parts in a list;
    statements: `let`, `function` (parts: parameters as `parameter`, a list of statements), `statements`.
    """

    kind: str
    at: int
    text: str = ""
    parts: tuple[Node, ...] = ()


@dataclass
class _Cursor:
    """Where the parser stands."""

    tokens: list[Token]
    position: int = 0
    depth: int = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def ahead(self, by: int) -> Token:
        return self.tokens[min(self.position + by, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    def is_at(self, *texts: str) -> bool:
        return self.token.kind in ("word", "sign") and self.token.text in texts

    def accept(self, *texts: str) -> bool:
        if self.is_at(*texts):
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        if not self.is_at(text):
            raise self.error(repr(text))
        return self.take()

    def error(self, expected: str) -> KqlError:
        found = repr(self.token.text[:40]) if self.token.kind != "end" else "the end"
        return KqlError(f"{expected} is expected, and {found} stands there", self.token.at)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise KqlError(f"more than {DEEPEST} brackets in one another", self.token.at)

    def leave(self) -> None:
        self.depth -= 1


def parse(query: str) -> Node:
    """A query as `statements`. Raises KqlError with the first fault."""
    cursor = _Cursor(tokens(query))
    found: list[Node] = []
    while cursor.token.kind != "end":
        found.append(_statement(cursor))
        if not cursor.accept(";"):
            break
    if cursor.token.kind != "end":
        raise cursor.error("'|', ';' or the end")
    if not found or found[-1].kind in ("let", "setting"):
        raise KqlError("there is no query, only statements before one", cursor.token.at)
    return Node("statements", 0, "", tuple(found))


# Statements


def _statement(cursor: _Cursor) -> Node:
    if cursor.is_at("let"):
        return _let(cursor)
    at = cursor.token.at
    if cursor.is_at("set") and cursor.ahead(1).kind == "word":
        cursor.take()
        cursor.take()
        if cursor.accept("="):
            cursor.take()
        return Node("setting", at)
    if cursor.is_at("declare"):
        cursor.take()
        cursor.expect("query_parameters")
        return Node("declare", at, "", _parameters(cursor))
    if cursor.is_at("alias"):
        cursor.take()
        cursor.expect("database")
        name = _name(cursor)
        cursor.expect("=")
        return Node("setting", at, name, (_expression(cursor),))
    if cursor.is_at("restrict"):
        cursor.take()
        cursor.expect("access")
        cursor.expect("to")
        cursor.expect("(")
        _several(cursor, _entity)
        cursor.expect(")")
        return Node("setting", at)
    return _pipe(cursor)


def _let(cursor: _Cursor) -> Node:
    at = cursor.take().at
    name = _name(cursor)
    cursor.expect("=")
    if cursor.is_at("view") and cursor.ahead(1).text == "(":
        cursor.take()
        return Node("let", at, name, (_function(cursor),))
    if cursor.is_at("(") and _is_function(cursor):
        return Node("let", at, name, (_function(cursor),))
    return Node("let", at, name, (_pipe(cursor),))


def _is_function(cursor: _Cursor) -> bool:
    """Whether parameters stand there: `()` before a brace, or a name with a type."""
    first, second, third = cursor.ahead(1), cursor.ahead(2), cursor.ahead(3)
    return (first.text, second.text) == (")", "{") or (
        first.kind == "word" and second.text == ":" and third.text != ":"
    )


def _function(cursor: _Cursor) -> Node:
    at = cursor.token.at
    cursor.enter()
    parameters = _parameters(cursor)
    cursor.expect("{")
    body: list[Node] = []
    while not cursor.is_at("}"):
        body.append(_statement(cursor))
        if not cursor.accept(";"):
            break
    cursor.expect("}")
    cursor.leave()
    return Node("function", at, "", (*parameters, Node("statements", at, "", tuple(body))))


def _parameters(cursor: _Cursor) -> tuple[Node, ...]:
    """Parameters: `parameter` for a value, `table` (text: its columns with commas, or `*`) for a table, by name."""
    cursor.expect("(")
    found: list[Node] = []
    while not cursor.is_at(")"):
        token = cursor.token
        name = _name(cursor)
        cursor.expect(":")
        if cursor.is_at("("):
            if cursor.ahead(1).text == "*":
                cursor.take()
                cursor.take()
                cursor.expect(")")
                columns = "*"
            else:
                columns = _row_schema(cursor)
            found.append(Node("table", token.at, name, (Node("names", token.at, columns),)))
        else:
            _type(cursor)
            found.append(Node("parameter", token.at, name))
            if cursor.accept("="):
                _unary(cursor)
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return tuple(found)


_TYPES = words(
    "bool boolean date datetime decimal double dynamic float guid int int16 int32 int64 int8 long real string "
    "time timespan uint uint16 uint32 uint64 uint8 ulong uniqueid"
)


def _type(cursor: _Cursor) -> None:
    if not cursor.is_at(*_TYPES):
        raise cursor.error("a type")
    cursor.take()


def _row_schema(cursor: _Cursor) -> str:
    """`(name: type, ...)`; the names with commas."""
    cursor.expect("(")
    names: list[str] = []
    while not cursor.is_at(")"):
        names.append(_name(cursor))
        cursor.expect(":")
        _type(cursor)
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return ",".join(names)


# Tables


def _pipe(cursor: _Cursor) -> Node:
    """A table with operators behind it, or an expression."""
    at = cursor.token.at
    source = _source(cursor)
    operators: list[Node] = []
    while cursor.accept("|"):
        operators.append(_operator(cursor))
    return Node("pipe", at, "", (source, *operators)) if operators else source


def _source(cursor: _Cursor) -> Node:
    word, behind = cursor.token, cursor.ahead(1)
    if word.kind != "word" or behind.text in ("|", ".", "=", ";", "[") or behind.kind == "end":
        return _expression(cursor)
    if word.text == "range" and behind.kind == "word":
        return _range(cursor)
    if word.text == "print":
        cursor.take()
        return Node("print", word.at, "", _several(cursor, _named))
    if word.text in ("union", "search", "find") or (word.text == "evaluate" and behind.kind == "word"):
        return _operator(cursor)
    return _expression(cursor)


def _range(cursor: _Cursor) -> Node:
    at = cursor.take().at
    name = _name(cursor)
    parts = []
    for word in ("from", "to", "step"):
        cursor.expect(word)
        parts.append(_expression(cursor))
    return Node("range", at, name, tuple(parts))


def _columns_literal(cursor: _Cursor) -> Node:
    """`datatable (columns) [values]` and `externaldata (columns) [addresses] with (...)`."""
    token = cursor.take()
    _settings(cursor)
    columns = _row_schema(cursor)
    cursor.expect("[")
    cursor.enter()
    while not cursor.is_at("]"):
        _expression(cursor)
        if not cursor.accept(","):
            break
    cursor.expect("]")
    cursor.leave()
    if token.text != "datatable" and cursor.accept("with"):
        cursor.expect("(")
        _several(cursor, _named)
        cursor.expect(")")
    return Node("datatable", token.at, columns)


# Operators

_SETTINGS = words(
    "bagexpansion decodeblocks expandoutput hint isfuzzy kind flags with_itemindex with_match_id with_step_name "
    "withsource with_source bin_legacy"
)


def _settings(cursor: _Cursor) -> dict[str, str]:
    """`kind=inner`, `hint.strategy=shuffle`: what stands behind an operator's keyword."""
    found: dict[str, str] = {}
    while cursor.token.kind == "word" and cursor.token.text in _SETTINGS:
        if cursor.ahead(1).text == "=":
            name = cursor.take().text
        elif cursor.ahead(1).text == "." and cursor.ahead(3).text == "=" and cursor.token.text == "hint":
            cursor.take()
            cursor.take()
            name = f"hint.{cursor.take().text}"
        else:
            break
        cursor.take()
        if cursor.token.kind not in ("word", "string", "number", "literal"):
            raise cursor.error(f"a value of {name}")
        found[name] = cursor.take().text
    return found


def _operator(cursor: _Cursor) -> Node:
    token = cursor.token
    make = _OPERATORS.get(token.text) if token.kind == "word" else None
    if make is None:
        raise cursor.error("an operator")
    cursor.take()
    return make(cursor, token)


def _plain(cursor: _Cursor, token: Token) -> Node:
    """`where`, `extend`, `project`, `distinct`, `print`, `serialize` and their like: expressions with commas."""
    _settings(cursor)
    return Node(token.text, token.at, "", _several(cursor, _named))


def _one(cursor: _Cursor, token: Token) -> Node:
    """`where`, `take`, `sample`, `invoke`: an expression, which has no name."""
    _settings(cursor)
    return Node(token.text, token.at, "", (_expression(cursor),))


def _bare(cursor: _Cursor, token: Token) -> Node:
    return Node(token.text, token.at)


def _by_name(cursor: _Cursor, token: Token) -> Node:
    """`project-away`, `project-keep`, `project-reorder`: names, which may hold `*`."""
    parts = []
    while True:
        parts.append(_entity(cursor))
        if token.text == "project-reorder":
            cursor.accept("asc", "desc", "granny-asc", "granny-desc")
        if not cursor.accept(","):
            return Node(token.text, token.at, "", tuple(parts))


def _distinct(cursor: _Cursor, token: Token) -> Node:
    _settings(cursor)
    if cursor.is_at("*"):
        return Node("distinct", token.at, "", (Node("star", cursor.take().at),))
    return Node("distinct", token.at, "", _several(cursor, _named))


def _count(cursor: _Cursor, token: Token) -> Node:
    return Node("count", token.at, _name(cursor) if cursor.accept("as") else "Count")


def _as(cursor: _Cursor, token: Token) -> Node:
    _settings(cursor)
    return Node("as", token.at, _name(cursor))


def _ordered(cursor: _Cursor) -> Node:
    found = _named(cursor)
    cursor.accept("asc", "desc")
    if cursor.accept("nulls") and not cursor.accept("first", "last"):
        raise cursor.error("'first' or 'last'")
    return found


def _sort(cursor: _Cursor, token: Token) -> Node:
    _settings(cursor)
    if token.text != "order-by":
        cursor.expect("by")
    return Node("sort", token.at, "", _several(cursor, _ordered))


def _top(cursor: _Cursor, token: Token) -> Node:
    _settings(cursor)
    number = _expression(cursor)
    cursor.expect("by")
    return Node("top", token.at, "", (number, *_several(cursor, _ordered)))


def _of(cursor: _Cursor, token: Token) -> Node:
    """`sample-distinct N of column`, `top-hitters N of column by column`."""
    number = _expression(cursor)
    cursor.expect("of")
    of = _named(cursor)
    by = (_ordered(cursor),) if cursor.accept("by") else ()
    return Node(token.text, token.at, "", (number, of, *by))


def _top_nested(cursor: _Cursor, token: Token) -> Node:
    parts: list[Node] = []
    while True:
        if not cursor.is_at("of"):
            parts.append(_expression(cursor))
        cursor.expect("of")
        parts.append(_named(cursor))
        if cursor.accept("with"):
            cursor.expect("others")
            cursor.expect("=")
            parts.append(_expression(cursor))
        cursor.expect("by")
        parts.append(_ordered(cursor))
        if not cursor.accept(","):
            return Node("top-nested", token.at, "", tuple(parts))
        cursor.expect("top-nested")


def _summarize(cursor: _Cursor, token: Token) -> Node:
    """Parts: a list of aggregates, a list of what they are by."""
    _settings(cursor)
    found = () if cursor.is_at("by", "|", ")", ";") or cursor.token.kind == "end" else _several(cursor, _named)
    by = _several(cursor, _named) if cursor.accept("by") else ()
    if not found and not by:
        raise cursor.error("an aggregate or 'by'")
    return Node("summarize", token.at, "", (Node("list", token.at, "", found), Node("list", token.at, "", by)))


def _join(cursor: _Cursor, token: Token) -> Node:
    """Text: its kind; parts: the table, a list of conditions."""
    kind = _settings(cursor).get("kind", "innerunique" if token.text == "join" else "leftouter")
    if kind not in _JOINS:
        raise KqlError(f"{kind[:40]!r} is no kind of join", token.at)
    table = _expression(cursor)
    if cursor.accept("where"):
        on: tuple[Node, ...] = (_expression(cursor),)
    else:
        cursor.expect("on")
        on = _several(cursor, _expression)
    return Node(token.text, token.at, kind, (table, Node("list", token.at, "", on)))


_JOINS = words(
    "inner innerunique leftouter rightouter fullouter leftanti anti leftantisemi rightanti rightantisemi leftsemi "
    "rightsemi"
)


def _union(cursor: _Cursor, token: Token) -> Node:
    settings = _settings(cursor)
    source = settings.get("withsource", settings.get("with_source", ""))
    return Node("union", token.at, source, _several(cursor, _union_table))


def _union_table(cursor: _Cursor) -> Node:
    if cursor.is_at("(") or (cursor.ahead(1).text in ("(", ".") and not cursor.is_at("*")):
        return _expression(cursor)
    return _entity(cursor)


def _mv_expand(cursor: _Cursor, token: Token) -> Node:
    settings = _settings(cursor)
    parts = _several(cursor, _expanded)
    if cursor.accept("limit"):
        cursor.take()
    return Node("mv-expand", token.at, settings.get("with_itemindex", ""), parts)


def _expanded(cursor: _Cursor) -> Node:
    found = _named(cursor)
    if cursor.accept("to") and cursor.take().kind != "literal":
        raise cursor.error("typeof(...)")
    return found


def _mv_apply(cursor: _Cursor, token: Token) -> Node:
    """Parts: a list of what is expanded, the pipe of operators on it."""
    settings = _settings(cursor)
    expanded = _several(cursor, _expanded)
    if cursor.accept("limit"):
        cursor.take()
    cursor.expect("on")
    applied = _operators_in(cursor)
    return Node(
        "mv-apply", token.at, settings.get("with_itemindex", ""), (Node("list", token.at, "", expanded), applied)
    )


def _operators_in(cursor: _Cursor) -> Node:
    """`( operator | operator ... )`, as a list."""
    at = cursor.expect("(").at
    cursor.enter()
    found = [_operator(cursor)]
    while cursor.accept("|"):
        found.append(_operator(cursor))
    cursor.leave()
    cursor.expect(")")
    return Node("list", at, "", tuple(found))


def _parse(cursor: _Cursor, token: Token) -> Node:
    """Parts: what is parsed, the columns made of it as names."""
    settings = _settings(cursor)
    if settings.get("kind", "simple") not in ("simple", "regex", "relaxed"):
        raise KqlError(f"{settings['kind'][:40]!r} is no kind of parse", token.at)
    of = _expression(cursor)
    cursor.expect("with")
    made: list[Node] = []
    begins = cursor.position
    while cursor.is_at("*", "[") or cursor.token.kind in ("string", "word"):
        if cursor.token.kind == "word" or cursor.is_at("["):
            made.append(Node("name", cursor.token.at, _name(cursor)))
            if cursor.accept(":"):
                _type(cursor)
        else:
            cursor.take()
    if cursor.position == begins:
        raise cursor.error("a pattern")
    return Node("parse", token.at, "", (of, *made))


def _parse_kv(cursor: _Cursor, token: Token) -> Node:
    of = _expression(cursor)
    cursor.expect("as")
    names = _row_schema(cursor)
    if cursor.accept("with"):
        cursor.expect("(")
        _several(cursor, _named)
        cursor.expect(")")
    return Node("parse", token.at, "", (of, *(Node("name", token.at, each) for each in names.split(",") if each)))


def _make_series(cursor: _Cursor, token: Token) -> Node:
    """Parts: a list of aggregates, the axis, a list of what they are by, a list of limits."""
    _settings(cursor)
    aggregates: list[Node] = []
    while True:
        aggregates.append(_named(cursor))
        if cursor.accept("default"):
            cursor.expect("=")
            _expression(cursor)
        if not cursor.accept(","):
            break
    cursor.expect("on")
    axis = _named(cursor)
    limits: list[Node] = []
    if cursor.accept("in"):
        cursor.expect("range")
        cursor.expect("(")
        limits += _several(cursor, _expression)
        cursor.expect(")")
    else:
        for word in ("from", "to"):
            if cursor.accept(word):
                limits.append(_expression(cursor))
        cursor.expect("step")
        limits.append(_expression(cursor))
    by = _several(cursor, _named) if cursor.accept("by") else ()
    lists = [Node("list", token.at, "", tuple(each)) for each in (aggregates, by, limits)]
    return Node("make-series", token.at, "", (lists[0], axis, *lists[1:]))


def _evaluate(cursor: _Cursor, token: Token) -> Node:
    """Text: its columns where it says them, with commas."""
    _settings(cursor)
    call = _unary(cursor)
    if call.kind != "call":
        raise KqlError("a plugin with its arguments is expected", call.at)
    return Node("evaluate", token.at, _row_schema(cursor) if cursor.accept(":") else "", (call,))


def _render(cursor: _Cursor, token: Token) -> Node:
    if not cursor.is_at(*_CHARTS):
        raise cursor.error("a chart")
    cursor.take()
    if cursor.accept("with"):
        cursor.expect("(")
        while not cursor.is_at(")"):
            cursor.take() if cursor.token.kind == "word" else cursor.expect("a property")
            cursor.expect("=")
            _expression(cursor)
            while cursor.is_at(",") and cursor.ahead(2).text != "=":
                cursor.take()
                _expression(cursor)
            if not cursor.accept(","):
                break
        cursor.expect(")")
    _settings(cursor)
    return Node("render", token.at)


_CHARTS = words(
    "table list barchart piechart ladderchart timechart linechart anomalychart pivotchart areachart "
    "stackedareachart scatterchart timepivot columnchart timeline 3Dchart card treemap plotly graph"
)


def _reduce(cursor: _Cursor, token: Token) -> Node:
    _settings(cursor)
    cursor.expect("by")
    by = _named(cursor)
    if cursor.accept("with"):
        _several(cursor, _named)
    return Node("reduce", token.at, "", (by,))


def _search(cursor: _Cursor, token: Token) -> Node:
    """`search` and `find`: parts are the tables that they name."""
    _settings(cursor)
    tables: tuple[Node, ...] = ()
    if cursor.accept("in"):
        cursor.expect("(")
        tables = _several(cursor, _union_table)
        cursor.expect(")")
    cursor.accept("where")
    if cursor.is_at("*") and cursor.ahead(1).text not in ("and", "==") and cursor.ahead(1).text not in _STRINGS:
        cursor.take()
    else:
        _expression(cursor)
    if cursor.accept("project"):
        _several(cursor, _named)
    cursor.accept("project-smart")
    if cursor.is_at("project-away"):
        _by_name(cursor, cursor.take())
    return Node(token.text, token.at, "", tables)


def _fork(cursor: _Cursor, token: Token) -> Node:
    """Parts: lists of operators."""
    parts = []
    while cursor.is_at("(") or cursor.ahead(1).text == "=":
        if not cursor.is_at("("):
            _name(cursor)
            cursor.expect("=")
        parts.append(_operators_in(cursor))
    if not parts:
        raise cursor.error("'('")
    return Node("fork", token.at, "", tuple(parts))


def _partition(cursor: _Cursor, token: Token) -> Node:
    """Parts: the column, the list of operators or a query of its own."""
    _settings(cursor)
    cursor.expect("by")
    by = _expression(cursor)
    if cursor.accept("{"):
        cursor.enter()
        inner = _pipe(cursor)
        cursor.leave()
        cursor.expect("}")
        return Node("partition", token.at, "", (by, inner))
    return Node("partition", token.at, "", (by, _operators_in(cursor)))


_OPERATORS: dict[str, Callable[[_Cursor, Token], Node]] = {
    **dict.fromkeys(("extend", "project", "project-by-names", "project-rename", "serialize"), _plain),
    **dict.fromkeys(("where", "filter", "take", "limit", "sample", "invoke"), _one),
    **dict.fromkeys(("getschema", "consume"), _bare),
    **dict.fromkeys(("project-away", "project-keep", "project-reorder"), _by_name),
    **dict.fromkeys(("sort", "order", "order-by"), _sort),
    **dict.fromkeys(("join", "lookup"), _join),
    **dict.fromkeys(("mv-expand", "mvexpand"), _mv_expand),
    **dict.fromkeys(("mv-apply", "mvapply"), _mv_apply),
    **dict.fromkeys(("parse", "parse-where"), _parse),
    **dict.fromkeys(("sample-distinct", "top-hitters"), _of),
    **dict.fromkeys(("search", "find"), _search),
    "as": _as,
    "count": _count,
    "distinct": _distinct,
    "evaluate": _evaluate,
    "fork": _fork,
    "make-series": _make_series,
    "parse-kv": _parse_kv,
    "partition": _partition,
    "reduce": _reduce,
    "render": _render,
    "summarize": _summarize,
    "top": _top,
    "top-nested": _top_nested,
    "union": _union,
}

# Expressions

_LOGICAL = frozenset(("and", "or"))
_EQUALITY = frozenset(("==", "!=", "<>"))
_RELATIONAL = frozenset(("<", ">", "<=", ">="))
_ARITHMETIC = frozenset("+-*/%")
_LISTS = frozenset(("in", "!in", "in~", "!in~", "has_any", "has_all"))
_RANGES = frozenset(("between", "!between"))
_STRINGS = frozenset(
    ["=~", "!~", "like", "notlike", "likecs", "notlikecs", "notcontains", "containscs", "notcontainscs", ":"]
    + [
        f"{sign}{word}{cased}"
        for sign in ("", "!")
        for word in ("has", "hasprefix", "hassuffix", "contains", "startswith", "endswith")
        for cased in ("", "_cs")
    ]
)
_BINARY = _LOGICAL | _EQUALITY | _RELATIONAL | _ARITHMETIC | _STRINGS
#: Words that are no operands.
_RESERVED = frozenset(("and", "or", "by", "on", "between", "let", "matches")) | _LISTS - {"in"} | {"in"} | _STRINGS


def _several(cursor: _Cursor, one: Callable[[_Cursor], Node]) -> tuple[Node, ...]:
    found = [one(cursor)]
    while cursor.accept(","):
        found.append(one(cursor))
    return tuple(found)


def _is_name(token: Token) -> bool:
    return token.kind == "word" and token.text not in _RESERVED and not token.text.startswith("!")


def _name(cursor: _Cursor) -> str:
    """A name, or one in `['...']`."""
    if cursor.is_at("[") and cursor.ahead(1).kind == "string" and cursor.ahead(2).text == "]":
        cursor.take()
        text = cursor.take().text
        cursor.take()
        return unquoted(text)
    if not _is_name(cursor.token):
        raise cursor.error("a name")
    return cursor.take().text


def _entity(cursor: _Cursor) -> Node:
    """A name or a pattern of names (`Net*`), or either of a database."""
    at = cursor.token.at
    text = ""
    while not text or cursor.token.at == at + len(text):
        if cursor.is_at("*"):
            text += cursor.take().text
        elif text and cursor.token.kind not in ("word", "number"):
            break
        elif not text:
            begins = at
            text = _name(cursor)
            if cursor.tokens[cursor.position - 1].text == "]":
                return _paths(cursor, Node("name", begins, text))
        else:
            text += cursor.take().text
    return Node("pattern", at, text) if "*" in text else _paths(cursor, Node("name", at, text))


def _named(cursor: _Cursor) -> Node:
    """An expression, perhaps with `name =` or `(name, name) =` before it."""
    token = cursor.token
    if _is_name(token) and cursor.ahead(1).text == "=" and cursor.ahead(1).kind == "sign":
        name = _name(cursor)
        cursor.take()
        return Node("named", token.at, name, (_expression(cursor),))
    if token.text == "[" and cursor.ahead(2).text == "]" and cursor.ahead(3).text == "=":
        name = _name(cursor)
        cursor.take()
        return Node("named", token.at, name, (_expression(cursor),))
    if token.text == "(" and _names_ahead(cursor):
        cursor.take()
        names = [_name(cursor)]
        while cursor.accept(","):
            names.append(_name(cursor))
        cursor.expect(")")
        cursor.expect("=")
        return Node("named", token.at, ",".join(names), (_expression(cursor),))
    return _expression(cursor)


def _names_ahead(cursor: _Cursor) -> bool:
    by = 1
    while _is_name(cursor.ahead(by)) and cursor.ahead(by + 1).text == ",":
        by += 2
    return _is_name(cursor.ahead(by)) and cursor.ahead(by + 1).text == ")" and cursor.ahead(by + 2).text == "="


def _expression(cursor: _Cursor) -> Node:
    """Operands with operators between them: one comparison at most between `and` and `or`."""
    first = _operand(cursor)
    parts = [first]
    equal, relational = 0, 0
    while cursor.token.kind in ("word", "sign"):
        operator = cursor.token.text
        if operator in _LISTS:
            if cursor.ahead(1).text == "range":  # of make-series
                break
            cursor.take()
            parts.append(_list(cursor))
        elif operator in _RANGES:
            cursor.take()
            parts.append(_between(cursor))
        elif operator == "matches":
            cursor.take()
            cursor.expect("regex")
            parts.append(_operand(cursor))
        elif operator in _BINARY:
            cursor.take()
            parts.append(_operand(cursor))
        else:
            break
        if operator in _LOGICAL:
            equal, relational = 0, 0
        equal += operator in _EQUALITY or operator in _LISTS or operator in _RANGES
        relational += operator in _RELATIONAL
        if equal > 1 or relational > 1 + equal:
            raise KqlError("a second comparison without 'and' or 'or'", cursor.token.at)
    return Node("several", first.at, "", tuple(parts)) if len(parts) > 1 else first


def _list(cursor: _Cursor) -> Node:
    """`(value, value)`, or a table or an array in parentheses or by its name."""
    if not cursor.is_at("("):
        return _unary(cursor)
    at = cursor.take().at
    cursor.enter()
    parts = [] if cursor.is_at(")") else list(_several(cursor, _pipe))
    cursor.leave()
    cursor.expect(")")
    return Node("in", at, "", tuple(parts))


def _between(cursor: _Cursor) -> Node:
    at = cursor.expect("(").at
    cursor.enter()
    begin = _expression(cursor)
    cursor.expect("..")
    end = _expression(cursor)
    cursor.leave()
    cursor.expect(")")
    return Node("several", at, "", (begin, end))


def _operand(cursor: _Cursor) -> Node:
    if cursor.is_at("*") and (cursor.ahead(1).text in _STRINGS or cursor.ahead(1).text in ("==", "and")):
        return Node("star", cursor.take().at)
    return _unary(cursor)


def _unary(cursor: _Cursor) -> Node:
    if cursor.is_at("-", "+"):
        cursor.take()
    return _paths(cursor, _primary(cursor))


def _paths(cursor: _Cursor, of: Node) -> Node:
    """`.name`, `.call()`, `[element]`, `.[element]` behind an operand."""
    steps: list[Node] = []
    while cursor.is_at(".", "["):
        at = cursor.take().at
        dotted = cursor.tokens[cursor.position - 1].text == "."
        if dotted and not cursor.is_at("["):
            token = cursor.take()
            if token.kind != "word":
                raise KqlError("a name is expected behind '.'", token.at)
            called = cursor.is_at("(")
            steps.append(Node("call" if called else "step", at, token.text, _arguments(cursor) if called else ()))
            continue
        if dotted:
            cursor.take()
        cursor.enter()
        steps.append(Node("element", at, "", (_expression(cursor),)))
        cursor.leave()
        cursor.expect("]")
    return Node("path", of.at, "", (of, *steps)) if steps else of


def _primary(cursor: _Cursor) -> Node:
    token = cursor.token
    if token.kind in ("number", "literal"):
        cursor.take()
        return Node("literal", token.at, token.text)
    if token.kind == "string":
        while cursor.token.kind == "string":
            cursor.take()
        return Node("literal", token.at, token.text)
    if cursor.is_at("("):
        cursor.take()
        cursor.enter()
        found = _pipe(cursor)
        cursor.leave()
        cursor.expect(")")
        return found
    if cursor.is_at("["):
        return Node("name", token.at, _name(cursor))
    if not _is_name(token):
        raise cursor.error("a value")
    return _word(cursor, token)


def _word(cursor: _Cursor, token: Token) -> Node:
    """A name, a call, or what begins with a keyword."""
    behind = cursor.ahead(1).text
    if token.text == "dynamic" and behind == "(":
        return _dynamic(cursor)
    if token.text in ("datatable", "externaldata", "external_data") and (
        behind == "(" or cursor.ahead(1).kind == "word"
    ):
        return _columns_literal(cursor)
    cursor.take()
    if token.text.lower() in ("true", "false", "null"):
        return Node("literal", token.at, token.text)
    if cursor.is_at("("):
        return Node("call", token.at, token.text, _arguments(cursor))
    return Node("name", token.at, token.text)


def _arguments(cursor: _Cursor) -> tuple[Node, ...]:
    cursor.expect("(")
    cursor.enter()
    found: tuple[Node, ...] = () if cursor.is_at(")") else _several(cursor, _argument)
    cursor.leave()
    cursor.expect(")")
    return found


def _argument(cursor: _Cursor) -> Node:
    """An argument: a value with or without a name, a table, or `*`."""
    if cursor.is_at("*") and cursor.ahead(1).text in (",", ")"):
        return Node("star", cursor.take().at)
    if _is_name(cursor.token) and cursor.ahead(1).text == "=" and cursor.ahead(1).kind == "sign":
        return _named(cursor)
    return _pipe(cursor)


def _dynamic(cursor: _Cursor) -> Node:
    at = cursor.take().at
    cursor.expect("(")
    cursor.enter()
    _json(cursor)
    cursor.leave()
    cursor.expect(")")
    return Node("literal", at, "dynamic")


def _json(cursor: _Cursor) -> None:
    """A value of JSON, in which literals of KQL may stand as well."""
    if cursor.is_at("[", "{"):
        closing = "]" if cursor.take().text == "[" else "}"
        cursor.enter()
        while not cursor.is_at(closing):
            if closing == "}":
                if cursor.token.kind != "string":
                    raise cursor.error("a key")
                cursor.take()
                cursor.expect(":")
            _json(cursor)
            if not cursor.accept(","):
                break
        cursor.leave()
        cursor.expect(closing)
        return
    cursor.accept("-")
    if cursor.token.kind not in ("string", "number", "literal") and not cursor.is_at("true", "false", "null"):
        raise cursor.error("a value of JSON")
    cursor.take()
