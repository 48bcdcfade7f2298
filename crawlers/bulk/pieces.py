"""A stream cut at a mark, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def cut_at(chunks: Iterable[bytes], mark: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each piece that begins with `mark` and ends before the next.

    Of a piece longer than `limit` bytes, only a beginning that is longer than `limit` is given. What stands before the
    first mark is left out.
    """
    rest, offset, inside = b"", 0, False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(mark)
        for piece in whole:
            if inside:
                yield offset - len(mark), mark + piece
            offset += len(piece) + len(mark)
            inside = True
        if len(rest) > limit + len(mark):
            if inside:
                yield offset - len(mark), mark + rest
            # The end of it may be the beginning of a mark.
            offset += len(rest) - len(mark)
            rest, inside = rest[-len(mark) :], False
    if inside:
        yield offset - len(mark), mark + rest
