"""What zabtrace raises. Broken *evidence* is no error: it becomes a row of DAMAGE.

Every message names the value, the place and the next step. Only ``zabtrace.cli`` turns an error into an exit code.
"""


class ZabtraceError(Exception):
    """Root of all errors that zabtrace raises on purpose."""


class UsageError(ZabtraceError):
    """The command line asks for something that cannot be done (exit code 2)."""


class NoEvidenceError(UsageError):
    """Nothing readable was found where evidence was named (exit code 2)."""
