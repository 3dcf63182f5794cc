"""Conversion patterns of log4j and logback (``--log-pattern``) as regular expressions over lines.

Strategy: pattern.lark parses the little language; a table says what each conversion prints, as the classes PatternLayout (log4j 1.2,
2) and ch.qos.logback.classic.PatternLayout name them. Of several conversions for one field the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from zabtrace.errors import UsageError
from zabtrace.grammar import notation
from zabtrace.grammar.stampforms import StampForm, UnknownLettersError, stamp_form

ANY = ".*?"
DOTTED = r"[A-Za-z_$?][A-Za-z0-9_$.\-]*"
LEVEL = "[A-Za-z]+"
# what a conversion prints: the field it gives, if any, and its pattern
CONVERSIONS: dict[str, tuple[str | None, str]] = {
    **dict.fromkeys(("d", "date"), ("time", "")),
    **dict.fromkeys(("p", "le", "level"), ("level", LEVEL)),
    **dict.fromkeys(("t", "tn", "thread", "threadName"), ("thread", ".+?")),
    **dict.fromkeys(("c", "lo", "logger"), ("logger", DOTTED)),
    **dict.fromkeys(("C", "class"), ("caller", DOTTED)),
    **dict.fromkeys(("m", "msg", "message"), ("message", ".*?")),
    **dict.fromkeys(("X", "mdc", "MDC"), ("mdc", ANY)),
    **dict.fromkeys(("L", "line"), (None, r"(?:[0-9]+|\?)")),
    **dict.fromkeys(("r", "relative", "pid", "processId", "tid", "threadId", "tp", "threadPriority"), (None, "-?[0-9]+")),
    **dict.fromkeys(("sn", "sequenceNumber"), (None, "-?[0-9]+")),
    **dict.fromkeys(("M", "method", "F", "file"), (None, r"[^ ]*?")),
    **dict.fromkeys(("l", "location"), ("location", r"\.[^ .()]+\([^)]*\)")),
    **dict.fromkeys(("x", "NDC", "caller", "marker", "uuid"), (None, ANY)),
    **dict.fromkeys(("contextName", "cn", "property", "K", "map"), (None, ANY)),
    **dict.fromkeys(("n", "ex", "exception", "throwable", "xEx", "xException", "xThrowable"), (None, "")),
    **dict.fromkeys(("rEx", "rootException", "nopex", "nopexception"), (None, "")),
}  # fmt: skip
# conversions whose options hold a pattern (the first one), and whether it may be missing
NESTED = {
    **dict.fromkeys(("notEmpty", "varsNotEmpty", "variablesNotEmpty"), True),
    **dict.fromkeys(("maxLen", "maxLength", "highlight", "style", "equals", "equalsIgnoreCase", "enc", "encode", "replace"), False),
}


@dataclass
class Conversion:
    """A compiled pattern: matches a record's first line, with groups time, level, thread, logger, caller, myid and message."""

    text: str
    pattern: str = ""
    stamp: StampForm | None = None
    fields: set[str] = field(default_factory=set)

    def group(self, name: str, pattern: str) -> str:
        """The pattern as the group of a field, or as it is where the field is there already."""
        if name in self.fields:
            return f"(?:{pattern})"
        self.fields.add(name)
        return f"(?P<{name}>{pattern})"


@cache
def _lark() -> Lark:
    return Lark(notation.source("pattern.lark"), parser="lalr", lexer="contextual", propagate_positions=True)


def _parsed(text: str) -> Tree[Token]:
    """The pattern's parts. Raises UsageError that points at the character where it is wrong."""
    try:
        return _lark().parse(text)
    except UnexpectedInput as error:
        at = place if 0 <= (place := error.pos_in_stream or 0) < len(text) else len(text)
        token = getattr(error, "token", None)
        ended = at == len(text) or (token is not None and token.type == "$END")
        what = "it ends within a conversion" if ended else f"a conversion cannot go on with {text[at]!r}"
        raise _wrong(text, len(text) if ended else at, what) from error


@cache
def conversion(text: str) -> Conversion:
    """Compile a conversion pattern. Raises UsageError that points at the character where it is wrong."""
    made = Conversion(text)
    tree = _parsed(text)
    body = _sequence(tree.children, made)
    if "message" not in made.fields:
        raise _wrong(text, len(text), "no conversion prints the message (%m)")
    made.pattern = rf"\A{body}\z"
    return made


def _wrong(text: str, at: int, why: str) -> UsageError:
    return UsageError(f"--log-pattern: {why}, at character {at + 1}: {text[:at]} >>> {text[at:] or '(end)'}")


def _sequence(nodes: Sequence[Token | Tree[Token]], made: Conversion) -> str:
    """One pattern behind the other. Raises UsageError for an option without an end."""
    for before, node in pairwise(nodes):
        if isinstance(before, Tree) and isinstance(node, Token) and node == "{":
            raise _wrong(made.text, node.start_pos or 0, "this option has no end")
    return "".join(_compiled(node, made) for node in nodes)


def _compiled(node: Token | Tree[Token], made: Conversion) -> str:
    if isinstance(node, Token):
        return notation.escaped(_unescaped(str(node)))
    tokens = {token.type: token for token in node.children if isinstance(token, Token)}
    flags = str(tokens.get("FLAGS", ""))
    if node.data == "group":
        opened = next(at for at, child in enumerate(node.children) if isinstance(child, Token) and child.type == "GROUP")
        closed = max(at for at, child in enumerate(node.children) if isinstance(child, Token) and child.type == "CLOSE")
        return _padded(_sequence(node.children[opened + 1 : closed], made), flags)
    options = [str(child)[1:-1] for child in node.children if isinstance(child, Token) and child.type == "OPTION"]
    return _converted(tokens["NAME"], flags, options, made)


def _unescaped(text: str) -> str:
    return {"%%": "%", "\\_": "", "\\t": "\t", "\\n": ""}.get(text, text[1:] if text.startswith("\\") else text)


def _padded(pattern: str, flags: str) -> str:
    """A pattern with the blanks of a least width: in front, or behind where the flag is -."""
    if not re.match(r"-?0?[0-9]", flags):
        return pattern
    return f"{pattern} *" if flags.startswith("-") else f" *{pattern}"


def _converted(token: Token, flags: str, options: list[str], made: Conversion) -> str:
    name, behind = _named(token, made.text)
    if name in NESTED:
        inner = _sequence(_parsed(options[0]).children, made) if options else ""
        return f"(?:{inner})?" if NESTED[name] else _padded(inner, flags)
    what, pattern = CONVERSIONS[name]
    if what == "time":
        pattern = _time(options, made, token)
    if what == "location":  # Class.method(File.java:130), or ?? and the like without location info
        what, pattern = None, rf"(?:{made.group('caller', DOTTED)}{pattern}|[^ ]*)"
    if what == "mdc":
        what = "myid" if options and options[0].split(":")[0] == "myid" else None
    written = made.group(what, pattern) if what is not None else f"(?:{pattern})" if pattern else ""
    return _padded(written, flags) + notation.escaped(behind)


def _time(options: list[str], made: Conversion, token: Token) -> str:
    try:
        form = stamp_form(options[0] if options else "", options[1] if len(options) > 1 else None)
    except UnknownLettersError as error:  # the format begins behind the brace
        raise _wrong(made.text, (token.end_pos or 0) + 1 + error.at, str(error)) from error
    made.stamp = made.stamp or form
    return form.pattern


def _named(token: Token, text: str) -> tuple[str, str]:
    """The conversion a word names, and what of the word is text behind it (log4j 1.2 reads one letter)."""
    word = str(token)
    for size in range(len(word), 0, -1):
        if word[:size] in CONVERSIONS or word[:size] in NESTED:
            return word[:size], word[size:]
    known = ", ".join(f"%{name}" for name in ("d", "p", "t", "c", "C", "L", "m", "n", "X{myid}", "x"))
    raise _wrong(text, token.start_pos or 0, f"no conversion is called {word!r}; among those that are: {known}")
