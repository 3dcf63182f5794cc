"""Text logs: bytes to physical lines, lines to records, records to events with their fields."""

from zabtrace.logs.loggers import is_foreign_line
from zabtrace.logs.looks import looks_like_log
from zabtrace.logs.patterned import check_pattern
from zabtrace.logs.read import LogRead, log_parts, read_log

__all__ = ["LogRead", "check_pattern", "is_foreign_line", "log_parts", "looks_like_log", "read_log"]
