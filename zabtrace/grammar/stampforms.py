"""Date formats of conversion patterns (``%d{...}``) as a pattern, and as a format that polars parses.

Source: java.text.SimpleDateFormat and java.time.format.DateTimeFormatter (letters), and the names that log4j and logback know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zabtrace.grammar.notation import escaped

ISO = "yyyy-MM-dd HH:mm:ss,SSS"
NAMED = {
    "": ISO, "ISO8601": ISO, "DEFAULT": ISO, "STRICT": "yyyy-MM-dd'T'HH:mm:ss,SSS", "STRICT_ISO8601": "yyyy-MM-dd'T'HH:mm:ss,SSS",
    "ISO8601_PERIOD": "yyyy-MM-dd'T'HH:mm:ss.SSS", "ISO8601_BASIC": "yyyyMMdd'T'HHmmss,SSS", "DEFAULT_PERIOD": "yyyy-MM-dd HH:mm:ss.SSS",
    "ISO8601_OFFSET_DATE_TIME_HHCMM": "yyyy-MM-dd'T'HH:mm:ss,SSSXXX", "ISO8601_OFFSET_DATE_TIME_HHMM": "yyyy-MM-dd'T'HH:mm:ss,SSSZ",
    "ABSOLUTE": "HH:mm:ss,SSS", "ABSOLUTE_PERIOD": "HH:mm:ss.SSS", "DATE": "dd MMM yyyy HH:mm:ss,SSS",
    "DATE_PERIOD": "dd MMM yyyy HH:mm:ss.SSS",
    "COMPACT": "yyyyMMddHHmmssSSS", "UNIX": "UNIX", "UNIX_MILLIS": "UNIX_MILLIS",
}  # fmt: skip
# letters and how often: pattern, and chrono's specifier
LETTERS: dict[str, tuple[str, str]] = {
    "yyyy": ("[0-9]{4}", "%Y"), "uuuu": ("[0-9]{4}", "%Y"), "YYYY": ("[0-9]{4}", "%Y"), "yy": ("[0-9]{2}", "%y"), "y": ("[0-9]{4}", "%Y"),
    "MMMM": ("[A-Za-z]+", "%B"), "MMM": ("[A-Za-z]{3}", "%b"), "MM": ("[0-9]{2}", "%m"), "M": ("[0-9]{1,2}", "%m"),
    "dd": ("[0-9]{2}", "%d"), "d": ("[0-9]{1,2}", "%d"), "HH": ("[0-9]{2}", "%H"), "H": ("[0-9]{1,2}", "%H"),
    "hh": ("[0-9]{2}", "%I"), "h": ("[0-9]{1,2}", "%I"), "mm": ("[0-9]{2}", "%M"), "m": ("[0-9]{1,2}", "%M"),
    "ss": ("[0-9]{2}", "%S"), "s": ("[0-9]{1,2}", "%S"), "SSS": ("[0-9]{3}", "%3f"), "SSSSSS": ("[0-9]{6}", "%6f"),
    "SSSSSSSSS": ("[0-9]{9}", "%9f"), "nnnnnn": ("[0-9]{6}", "%6f"), "a": ("[AP]M", "%p"),
    "Z": ("[+-][0-9]{4}", "%z"), "XX": ("[+-][0-9]{4}|Z", "%z"), "XXX": ("[+-][0-9]{2}:[0-9]{2}|Z", "%:z"), "X": ("[+-][0-9]{2}|Z", "%#z"),
    "xxx": ("[+-][0-9]{2}:[0-9]{2}", "%:z"), "EEE": ("[A-Za-z]{3}", "%a"), "E": ("[A-Za-z]{3}", "%a"), "EEEE": ("[A-Za-z]+", "%A"),
}  # fmt: skip
_TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)")
LEAP = "1972"
"""The year of stamps that have none: one with a 29th of February."""


@dataclass(frozen=True)
class StampForm:
    """A date format: the pattern of its texts, polars' format for them, and what it says."""

    pattern: str
    format: str
    zone: str | None = None
    dated: bool = True
    yeared: bool = True

    @property
    def offset(self) -> bool:
        """Do its texts name their offset from UTC?"""
        return self.format.endswith("z")


class UnknownLettersError(ValueError):
    """A date format holds letters that are not known; ``at`` is where they stand in it."""

    def __init__(self, letters: str, at: int) -> None:
        super().__init__(f"the date format holds {letters!r}, which is not known")
        self.at = at


def stamp_form(format_: str, zone: str | None = None) -> StampForm:
    """The form that ``%d{format}{zone}`` prints. Raises UnknownLettersError."""
    text = NAMED.get(format_.strip('"'), format_.strip('"'))
    if text in ("UNIX", "UNIX_MILLIS"):
        return StampForm("[0-9]+", text, "UTC")
    pattern, chrono = "", ""
    for token in _TOKEN.finditer(text):
        quoted, letters, _, other = token.groups(default="")
        if letters:
            if letters not in LETTERS:
                raise UnknownLettersError(letters, format_.find(text) + token.start())
            found, specifier = LETTERS[letters]
            pattern, chrono = f"{pattern}(?:{found})", chrono + specifier
        else:
            literal = other or quoted.replace("''", "'") or "'"
            pattern, chrono = pattern + escaped(literal), chrono + literal.replace("%", "%%")
    if text == ISO:  # log4j2 and newer logback print a T, and some a dot
        return StampForm("[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}[,.][0-9]{3}", "", zone)
    dated = "%d" in chrono
    return StampForm(pattern, chrono, zone, dated, "%Y" in chrono or "%y" in chrono)
