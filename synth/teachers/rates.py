"""What a server's headers say about how soon it wants to be asked again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
_LONGEST = 64  # characters of a header that means something


class Rate(NamedTuple):
    """Of requests or of tokens: how many in a minute, how many are left, and seconds until all are there again."""

    limit: float | None
    remaining: float | None
    reset_s: float | None


def seconds_of(text: str) -> float | None:
    """Seconds of a duration as OpenAI writes it (`6m0s`, `1s`, `20ms`) or of a bare number; null for anything else."""
    text = text.strip().lower()
    if len(text) > _LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    total, end = 0.0, 0
    for piece in _PIECE.finditer(text):
        if piece.start() != end:
            return None
        total += float(piece[1]) * _UNITS[piece[2]]
        end = piece.end()
    return total if end and end == len(text) else None


def retry_after(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Seconds that a server asks to be left alone: `retry-after-ms`, or `Retry-After` (RFC 9110, 10.2.3).

    `headers` by names in small letters, `wall_s`: seconds since 1970, for those that give a date.
    """
    millis = headers.get("retry-after-ms", "").strip()[:_LONGEST]
    if _NUMBER.fullmatch(millis):
        return float(millis) / 1000
    text = headers.get("retry-after", "").strip()[:_LONGEST]
    if not text:
        return None
    seconds = seconds_of(text)
    if seconds is not None:
        return seconds
    try:
        when = parsedate_to_datetime(text)
        moment = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, moment - wall_s) if math.isfinite(moment) else None


def rates(headers: Mapping[str, str]) -> tuple[Rate, Rate] | None:
    """What `x-ratelimit-*` say of requests and of tokens; null: nothing. What makes no sense counts as not said."""
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return None
    return _rate(headers, "requests"), _rate(headers, "tokens")


def _rate(headers: Mapping[str, str], of: str) -> Rate:
    numbers = []
    for name in ("limit", "remaining"):
        text = headers.get(f"x-ratelimit-{name}-{of}", "").strip()[:_LONGEST]
        numbers.append(float(text) if _NUMBER.fullmatch(text) else None)  # Azure sends -1 for what it does not know
    limit, remaining = numbers
    return Rate(limit or None, remaining, seconds_of(headers.get(f"x-ratelimit-reset-{of}", "")))
