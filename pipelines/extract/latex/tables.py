"""Tables of LaTeX while they are read, and as HTML."""

from __future__ import annotations

from dataclasses import dataclass, field

Cell = tuple[str, int]  # HTML, and how many columns it spans
RULES = frozenset({"\\hline", "\\midrule", "\\toprule", "\\bottomrule", "\\tabucline", "\\hlinewd", "\\Xhline"})


@dataclass
class Table:
    """The rows of a table so far, the cells of the row that is open, and after how many rows rules stand."""

    rows: list[list[Cell]] = field(default_factory=list)
    row: list[Cell] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    span: int = 1

    def end_cell(self, html: str) -> None:
        self.row.append((html, self.span))
        self.span = 1

    def end_row(self) -> None:
        if any(html for html, _ in self.row):
            self.rows.append(self.row)
        self.row = []

    def rule(self) -> None:
        self.rules.append(len(self.rows))

    def heads(self) -> int:
        """How many rows are the head: those above the first rule, if they are few and others follow."""
        first = next((after for after in self.rules if after), 0)
        return first if first <= 3 and first < len(self.rows) else 0

    def html(self) -> str:
        """The table; what has only one column is no table but lines."""
        if not self.rows:
            return ""
        if max(sum(span for _, span in row) for row in self.rows) < 2:
            return f"<p>{self.lines()}</p>\n"
        parts = ["<table>\n"]
        heads = self.heads()
        for index, row in enumerate(self.rows):
            tag = "th" if index < heads else "td"
            cells = (f'<{tag} colspan="{n}">{html}</{tag}>' if n > 1 else f"<{tag}>{html}</{tag}>" for html, n in row)
            parts.append(f"<tr>{''.join(cells)}</tr>\n")
        return "".join([*parts, "</table>\n"])

    def lines(self) -> str:
        """The rows as lines, for a table inside a line or a cell."""
        return "<br>".join(" ".join(html for html, _ in row if html) for row in self.rows)
