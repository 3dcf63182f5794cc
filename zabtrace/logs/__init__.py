"""Text logs: bytes to physical lines, lines to records, records to events with their fields."""

from zabtrace.logs.looks import looks_like_log
from zabtrace.logs.read import LogRead, read_log

__all__ = ["LogRead", "looks_like_log", "read_log"]
