"""What came of a request: an answer, a refusal of this request or of us, or something that may pass."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from http import HTTPStatus
from typing import Any, NamedTuple

from synth.answer import parsed


class Outcome(Enum):
    """What it means for the request, and for the server."""

    ANSWERED = "answered"
    REFUSED = "refused"  # this request, for ever
    STOPPED = "stopped"  # all of them: the key, the model, the quota, the path
    THROTTLED = "throttled"  # no room just now
    DOWN = "down"  # nobody is there, whatever is asked
    BROKEN = "broken"  # it went wrong; the server or the request may be why


class Found(NamedTuple):
    """`reason`: in a few words, of one line; `tokens`: that the server counted, if it says so."""

    outcome: Outcome
    reason: str = ""
    tokens: int | None = None
    slow: bool = False  # it took longer than we wait, so the server may have too much to do


_LONGEST = 200  # characters of a server's words that are repeated
_REFUSALS = frozenset({400, 413, 422})
_MAY_PASS = frozenset({408, 409, 425})
_SPENT = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated",
     "insufficient_user_quota", "insufficient_credits", "payment_required"}
)  # fmt: skip
#: What vLLM and SGLang say of an answer that a restart or a failure cut short.
_BROKEN_OFF = frozenset({"abort", "aborted", "cancelled", "error"})
_NO_MODEL = frozenset({"model_not_found", "model_not_available", "invalid_model", "deploymentnotfound"})
# "The model `x` does not exist" and the like, in the first words only: a server may quote the request.
_NO_MODEL_WORDS = re.compile(r"\bmodel\b[^\n]{0,120}?\b(?:does not exist|not found|not exist|is not available)\b", re.I)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key)[-_][A-Za-z0-9*_-]{4,}|\bBearer\s+\S+", re.I)


def found(status: int, content_type: str, body: bytes, api: str) -> Found:
    """What a response means that came whole. `api`: chat or completion."""
    if status == HTTPStatus.OK:
        return _answer(content_type, body, api)
    words = said(body)
    reason = f"HTTP {status}: {words}" if words else f"HTTP {status}"
    codes = _codes(body)
    if status in _REFUSALS:
        gone = bool(codes & _NO_MODEL) or _NO_MODEL_WORDS.search(words) is not None
        return Found(Outcome.STOPPED if gone or codes & _SPENT else Outcome.REFUSED, reason)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Found(Outcome.STOPPED if codes & _SPENT else Outcome.THROTTLED, reason)
    if status == 529:
        return Found(Outcome.THROTTLED, reason)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Found(Outcome.DOWN, reason, slow=True)
    if status in _MAY_PASS or status >= 500 or status < 300:
        return Found(Outcome.BROKEN, reason, slow=status in (408, 504))
    return Found(Outcome.STOPPED, reason)


def said(body: bytes) -> str:
    """What a server says in an error, or begins to, as one line without control characters."""
    parsed = _parsed(body[: 64 << 10])
    error = parsed.get("error", parsed.get("message", parsed.get("detail"))) if isinstance(parsed, dict) else parsed
    if isinstance(error, dict):
        error = error.get("message", error)
    text = error if isinstance(error, str) else body[:1000].decode("utf-8", "replace")
    return one_line(text)


def one_line(text: str) -> str:
    """The beginning of hostile text: no line breaks, control or invisible characters."""
    clean = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in text[:2000])
    line = " ".join(clean.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def redacted(text: str, key: str) -> str:
    """Without the key, and without what looks like one."""
    if key:
        text = text.replace(key, "[key]")
    return _KEY_LIKE.sub("[key]", text)


def _answer(content_type: str, body: bytes, api: str) -> Found:
    """A 200 is an answer if it has all that the API says an answer has; some servers send errors and halves so."""
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        return Found(Outcome.BROKEN, f"a 200 of type {one_line(media)[:80] or 'none'} instead of JSON")
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        return Found(Outcome.BROKEN, "a 200 that is no JSON object")
    if parsed.get("error"):
        outcome = Outcome.STOPPED if _codes(body) & _SPENT else Outcome.BROKEN
        return Found(outcome, f"an error in a 200: {said(body)}")
    choices = parsed.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Found(Outcome.BROKEN, "a 200 without choices")
    choice = choices[0]
    finish = choice.get("finish_reason")
    if not isinstance(finish, str) or not finish:
        return Found(Outcome.BROKEN, "an answer without finish_reason")
    if finish in _BROKEN_OFF:
        return Found(Outcome.BROKEN, f"an answer that was broken off ({finish})")
    holder = choice if api == "completion" else choice.get("message")
    if not isinstance(holder, dict):
        return Found(Outcome.BROKEN, "an answer without a message")
    content = holder.get("text" if api == "completion" else "content")
    if content is not None and not isinstance(content, str):
        return Found(Outcome.BROKEN, "an answer that is no text")
    return Found(Outcome.ANSWERED, "", _tokens(parsed.get("usage")))


def _tokens(usage: Any) -> int | None:
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and 0 <= total < 1 << 40 else None


def _codes(body: bytes) -> set[str]:
    """The code and type of an error, in small letters."""
    parsed = _parsed(body[: 64 << 10])
    error = parsed.get("error") if isinstance(parsed, dict) else None
    places = (error, parsed) if isinstance(error, dict) else (parsed,)
    return {
        place[name].lower()
        for place in places
        if isinstance(place, dict)
        for name in ("code", "type")
        if isinstance(place.get(name), str)
    }


def _parsed(body: bytes) -> Any:
    """JSON, or null: hostile JSON may be deep, or hold numbers without end."""
    try:
        return parsed(body)
    except (ValueError, RecursionError):
        return None
