"""The command line: the only place that knows click, writes output, and turns errors into exit codes.

Nothing heavy is imported before a command runs: ``--help`` must answer at once.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence

import click

from zabtrace.cli.answering import answers
from zabtrace.cli.check import check
from zabtrace.cli.commands import zabtrace
from zabtrace.cli.incidents import incidents
from zabtrace.cli.salvaging import collect, salvage
from zabtrace.cli.simulating import simulate
from zabtrace.cli.texts import events, explain, grammar
from zabtrace.cli.trees import diff, top, tree
from zabtrace.cli.writes import history, sessions, txns
from zabtrace.errors import UsageError

WRONG_USAGE, FAILED, INTERRUPTED = 2, 4, 130
SETTINGS = {"OPENBLAS_NUM_THREADS": "1"}
"""For the libraries that commands import: numpy would start threads for matrices, which nothing here multiplies: half of its import."""
GARBAGE = 50_000
"""Objects made before Python looks for cycles again: imports make many and leave none, a tenth of a start went into looking."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

zabtrace.add_command(check)
zabtrace.add_command(incidents)
for _command in (txns, tree, history, sessions, top, diff, events, explain, grammar):
    zabtrace.add_command(_command)
zabtrace.add_command(salvage)
zabtrace.add_command(collect)
zabtrace.add_command(answers)
zabtrace.add_command(simulate)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0, 1, 2, 3, 4 or 130. The reason stands in one line on stderr."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        code = zabtrace.main(list(arguments) if arguments is not None else None, prog_name="zabtrace", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        return _say(WRONG_USAGE, _usage(error))
    except (click.ClickException, UsageError) as error:
        return _say(WRONG_USAGE, error.format_message() if isinstance(error, click.ClickException) else str(error))
    except (click.Abort, KeyboardInterrupt):
        return _say(INTERRUPTED, "interrupted")
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit:
        raise
    except BaseException as error:  # a panic in polars is no Exception
        if os.environ.get("ZABTRACE_DEBUG"):
            raise
        return _say(FAILED, _failure(error))
    return int(code or 0)


def _usage(error: click.UsageError) -> str:
    asked = error.ctx.command_path if error.ctx else "zabtrace"
    return f"{error.format_message()} Try: {asked} --help"


def _failure(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory. Give fewer servers or files at a time, or a machine with more memory."
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full: {error.filename or 'the output'} could not be written. Choose another place with -o."
    reason = " ".join(str(error).split())[:300]
    return f"this is a bug in zabtrace: {type(error).__name__}: {reason}. Please report it; ZABTRACE_DEBUG=1 shows where it happened."


def _say(code: int, why: str) -> int:
    sys.stderr.write(f"zabtrace: {_one_line(why)}\n")
    return code


def _one_line(text: str) -> str:
    """One line without control characters: the text may quote a file's name."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def main() -> None:
    """The program ``zabtrace``."""
    gc.set_threshold(GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = run()
    gc.freeze()  # Python would look at every object once more before it goes, which took a tenth of a second
    sys.exit(code)
