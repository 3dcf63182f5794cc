"""Whose logger a name is: ZooKeeper's, or that of another program in the same JVM."""

from __future__ import annotations

import re

import polars as pl

from zabtrace.grammar.messages import messages

FOREIGN = frozenset({
    # jetty (the admin server, 3.5 and later; jetty 6 in 3.5.0)
    "Log", "Server", "ContextHandler", "DefaultSessionIdManager", "HouseKeeper", "ConstraintSecurityHandler", "AbstractConnector",
    "Slf4jLog", "SecurityHandler", "ServletContextHandler", "ServerConnector", "SessionHandler",
    # log4j 1.2 at DEBUG
    "HierarchyDynamicMBean", "LoggerDynamicMBean", "AppenderDynamicMBean", "LayoutDynamicMBean", "AbstractDynamicMBean",
})  # fmt: skip
_PACKAGES = ("org.apache.zookeeper.", "o.a.z.")
_OTHERS = re.compile(r"(?:org|com|net|io|java|javax|jdk|sun|kafka|scala|o\.a|o\.e)\.(?!.*(?:zookeeper|\bz\.))")
"""Loggers in packages of others, where a class may be called as one of ZooKeeper's: Kafka has a Login too."""


def is_zookeeper(logger: str) -> bool:
    """Does the grammar know the class, or is it in one of ZooKeeper's packages (abbreviated or relocated ones too)?

    >>> is_zookeeper("Login"), is_zookeeper("o.a.z.Login"), is_zookeeper("org.apache.kafka.common.security.Login")
    (True, True, False)
    """
    if _OTHERS.match(logger):
        return False
    return messages().knows(logger) or logger.startswith(_PACKAGES[1]) or _PACKAGES[0] in logger


def is_foreign(logger: str) -> bool:
    """Another program's logger: of another package, or one of its classes where the package is not printed.

    >>> is_foreign("o.e.j.u.log.Log"), is_foreign("Log"), is_foreign("o.a.z.s.q.Leader"), is_foreign("PatchedLeader")
    (True, True, False, False)
    """
    return not is_zookeeper(logger) and ("." in logger or logger in FOREIGN)


def is_foreign_line() -> pl.Expr:
    """Of rows of LINES, whose ``logger`` is the last part of a name only: is it a class of another program?"""
    return pl.col("logger").is_in(sorted(FOREIGN)).fill_null(False)
