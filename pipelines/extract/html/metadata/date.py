"""Dates as pages write them, to ISO 8601. A date that can be read in two ways is no date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import islice

#: The years that we believe: the first RFC is of 1969, and no page is of the next century.
FIRST_YEAR, LAST_YEAR = 1969, 2099
#: What stands in a date field that nobody filled in.
NO_DATES = frozenset({"1970-01-01", "1969-12-31"})

_VALUE_CHARACTERS = 80
_TAIL_CHARACTERS = 60
_TEXT_CHARACTERS = 4000
_MOST_WORDS = 20

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?\b\.?"
_TIME = r"\d{1,2}:\d\d(?::\d\d)?(?:[ ]?[ap]m)?(?:[ ][A-Z+-][A-Z0-9:]{1,5})?"
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?!\d)")
_YEAR = re.compile(r"\d{4}")
_DIGIT = re.compile(r"\d")
# A number before the date, or one after it, would make it part of something else: a version, an address.
_DATE = re.compile(
    r"(?=[\djfmasond])(?<![\d/.-])(?:"
    r"(?P<year1>\d{4})(?P<mark>[/.-])(?P<month1>\d{1,2})(?:(?P=mark)(?P<day1>\d{1,2}))?(?![\d/])"
    r"|(?P<year2>\d{4})[ ]?年[ ]?(?P<month2>\d{1,2})[ ]?月[ ]?(?P<day2>\d{1,2})[ ]?日"
    r"|(?P<basic>\d{8})(?=T|\b)"
    rf"|\b(?P<month3>{_MONTH})[ ](?P<day3>{_DAY}),?[ ](?:{_TIME}[ ])?(?P<year3>\d{{4}})(?!\d)"
    rf"|(?P<day4>{_DAY})[ -]?(?:of[ ])?(?P<month4>{_MONTH}),?[ -](?P<year4>\d{{4}})(?!\d)"
    rf"|\b(?P<month5>{_MONTH}),?[ ](?P<year5>\d{{4}})(?!\d)"
    r"|(?P<first>\d{1,2})[/.-](?P<second>\d{1,2})[/.-](?P<year6>\d{4})(?!\d)"
    r")",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?=[lu])(?:last[ -]?(?:updated?|modified|edited|changed?|revised|modification)\b|updated?(?=[ ]?(?:on|at|:)))"
    r"|最后(?:更新|修改|编辑)|最近(?:更新|修改)|更新(?:于|时间|日期)",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(r"\b(?:published|posted)(?=[ ]?(?:on|at|:|\d))|发布(?:于|时间|日期)", re.IGNORECASE)


def iso_date(value: str) -> str:
    """The first date in a value as `YYYY-MM-DD`, `YYYY-MM` or, where a year is all there is, `YYYY`; else empty.

    The day is the one that is written: a time of day and its zone are left out. Of `03/04/2024` nobody
    knows the month, so it is no date; `25/12/2024` is one.
    """
    if found := _ISO.match(value):
        return _checked(*found.groups())
    value = " ".join(value[:_VALUE_CHARACTERS].split())
    if _YEAR.fullmatch(value):
        return value if FIRST_YEAR <= int(value) <= LAST_YEAR else ""
    found = _DATE.search(value)
    return _read(found.groupdict()) if found else ""


def stated_dates(text: str) -> tuple[str, str]:
    """What a line such as `Last updated on Sep 3, 2024` says: the dates of change and of publication, or empty."""
    text = " ".join(text[:_TEXT_CHARACTERS].split())
    return _stated(_CHANGED, text), _stated(_PUBLISHED, text)


def _stated(words: re.Pattern[str], text: str) -> str:
    for said in islice(words.finditer(text), _MOST_WORDS):
        found = _DATE.search(text, said.end(), said.end() + _TAIL_CHARACTERS)
        # Of "2 days ago, built 2024-05-01" the first number is the one that is meant.
        if found and not _DIGIT.search(text, said.end(), found.start()) and (date_ := _read(found.groupdict())):
            return date_
    return ""


def _read(parts: Mapping[str, str | None]) -> str:
    if basic := parts["basic"]:
        return _checked(basic[:4], basic[4:6], basic[6:])
    if year := parts["year6"]:
        return _slashed(year, int(parts["first"] or 0), int(parts["second"] or 0))
    for form in "12345":
        if year := parts[f"year{form}"]:
            month, day = parts[f"month{form}"] or "", parts.get(f"day{form}")
            number = _MONTHS.get(month[:3].lower()) or int(month)
            return _checked(year, str(number), re.sub(r"\D", "", day) if day else None)
    return ""


def _slashed(year: str, first: int, second: int) -> str:
    """Day and month in an order that is told by the day alone, if it is."""
    low, high = sorted((first, second))
    return _checked(year, str(low), str(high)) if high > 12 or low == high else ""


def _checked(year: str, month: str, day: str | None) -> str:
    try:
        found = date(int(year), int(month), int(day or 1))
    except ValueError:
        return ""
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return ""
    text = found.isoformat()
    return "" if text in NO_DATES else text if day else text[:7]
