"""How much of the truth a tool's output holds: blocks of code, cells of tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from benchmarks.extract.blocks import Block, canonical
from benchmarks.extract.cells import folded
from benchmarks.extract.markdown import fences, rows

Counts = Counter[str]


def score_blocks(blocks: Sequence[Block], output: str, markdown: bool) -> tuple[Counts, list[int]]:
    """Counts over the blocks of a page, and the numbers of those that are not exact.

    Of each block: `exact`, the content of one fence is the block byte for byte, and no other block's;
    `fenced`, it is but for white space; `verbatim`, the text stands in the output with one prefix before each of its
    lines; `squeezed`, it stands there but for white space. `indented_*` are blocks of several lines with indentation,
    `marked_*` those whose lines markup makes, `language_*` those that name a language.
    """
    read = fences(output) if markdown else []
    free: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for info, content in read:
        for loose in (False, True):
            free[canonical(content, "lines" if loose else "pre"), loose].append(info)
    squeezed_fences = {squeezed(content) for _, content in read}
    squeezed_output, lines = squeezed(output), _index(output)
    counts: Counts = Counter()
    missed = []
    for number, block in enumerate(blocks):
        code = canonical(block["text"], block["kind"])
        found = _take(free, block)
        exact, small = found is not None, squeezed(code)
        fenced = exact or small in squeezed_fences
        seen = {
            "exact": exact,
            "fenced": fenced,
            "verbatim": exact or stands(code, output, lines),
            "squeezed": fenced or small in squeezed_output,
        }
        if found is None:
            missed.append(number)
        for group in _groups(block, code):
            counts.update({f"{group}blocks": 1, **{f"{group}{name}": int(holds) for name, holds in seen.items()}})
        if block["language"]:
            counts.update(language_blocks=1, language_kept=int(found == block["language"]))
    counts.update(pages=1, whole_pages=int(not missed))
    return counts, missed


def _groups(block: Block, code: str) -> list[str]:
    several = [line for line in code.split("\n") if line.strip()]
    groups = [""]
    if len(several) > 1 and any(line[0] in " \t" for line in several):
        groups.append("indented_")
    if block["kind"] != "pre":
        groups.append("marked_")
    return groups


def _take(free: dict[tuple[str, bool], list[str]], block: Block) -> str | None:
    """The language of a fence that holds a block and is no other block's yet; it is the block's from now on."""
    loose = block["kind"] != "pre"
    for code in filter(None, (block["text"], block["also"])):
        infos = free.get((canonical(code, block["kind"]), loose))
        if infos:
            return infos.pop(infos.index(block["language"]) if block["language"] in infos else 0)
    return None


def squeezed(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


Lines = tuple[list[str], dict[str, list[int]]]


def _index(output: str) -> Lines:
    """The lines of an output, and where each stands, by its text without the spaces around it."""
    lines = output.split("\n")
    places: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        places[line.strip()].append(number)
    return lines, places


def stands(code: str, output: str, index: Lines) -> bool:
    """Whether a block stands in the output, with one prefix for all of its lines."""
    if code in output:
        return True
    wanted = code.strip("\n").split("\n")
    lines, places = index
    for start in places.get(wanted[0].strip(), ()):
        first = lines[start]
        if first.endswith(wanted[0]) and start + len(wanted) <= len(lines):
            prefix = first[: len(first) - len(wanted[0])]
            pairs = zip(wanted, lines[start:], strict=False)
            if all(line == prefix + each or (not each.strip() and not line.strip()) for each, line in pairs):
                return True
    return False


def score_tables(tables: Sequence[Sequence[Sequence[str]]], output: str, markdown: bool) -> Counts:
    """Counts over the cells of a page: `present` in the output, and `in_row`, with the other cells of their row.

    A row is a row of a table or a list item; of plain text, a line. A short text counts as a cell of a row only where
    it is the whole of one.
    """
    counts: Counts = Counter()
    if not tables:
        return counts
    table_rows, items = rows(output) if markdown else ([], output.split("\n"))
    read_rows = [set(map(folded, row)) for row in table_rows]
    read_items = [folded(item) for item in items]
    # As it stands, and as it is read: marks inside a cell are not there any more.
    everything = "\n".join([folded(output), *(folded("\n".join(row)) for row in table_rows), *read_items])
    places: dict[str, list[int]] = defaultdict(list)
    for number, read in enumerate(read_rows):
        for cell in read:
            places[cell].append(number)
    for table in tables:
        counts["tables"] += 1
        for row in table:
            counts["cells"] += len(row)
            counts["present"] += sum(cell in everything for cell in row)
            counts["in_row"] += _best_row(row, read_rows, places, read_items)
    return counts


def _best_row(
    row: Sequence[str], read_rows: Sequence[set[str]], places: dict[str, list[int]], items: Sequence[str]
) -> int:
    """How many cells of a row the row of the output holds that holds most of them."""
    near = {number for cell in row for number in places.get(cell, ())}
    best = max((sum(_in_row(cell, read_rows[number]) for cell in row) for number in near), default=0)
    if best == len(row):
        return best
    best = max((sum(_in_row(cell, read) for cell in row) for read in read_rows), default=best)
    if best == len(row):
        return best
    return max(best, max((sum(cell in item for cell in row) for item in items), default=0))


def _in_row(cell: str, read: set[str]) -> bool:
    return cell in read or (len(cell) > 3 and any(cell in each for each in read))
