"""Layouts of programs that embed or ship ZooKeeper, told by their conversion patterns: those whose parts stand in an order of their own.

Strategy: they are tried where no layout of layouts.lark reads any line of a log; a log in one of them is read as with ``--log-pattern``.
"""

from __future__ import annotations

PATTERNS = {
    "confluent operator": "[%p] %d{ISO8601} [%t] %c %M - %m%n",  # Confluent for Kubernetes
    "huawei mrs": "%d{ISO8601} | %-5p | %t | %m | %l%n",  # and FusionInsight
    "karaf": "%d{ISO8601} | %-5.5p | %-16.16t | %-32.32c{1} | %X{bundle} | %m%n",  # and Fuse, ServiceMix
    "storm": "%d{yyyy-MM-dd HH:mm:ss.SSS} %c{1.} %t [%p] %m%n",
    "hadoop console": "%d{yy/MM/dd HH:mm:ss} %p %c{2}: %m%n",  # and HBase's, Spark's
    "spring boot": "%d{yyyy-MM-dd HH:mm:ss.SSS} %5p %pid --- [%t] %-40.40logger{39} : %m%n",
    "spring boot 3": "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %5p %pid --- [%t] %-40.40logger{39} : %m%n",
    "ttcc": "%-4r [%t] %-5p %c %x - %m%n",  # log4j's BasicConfigurator
    "head alone": "[%t:%C{1}@%L] - %m%n",  # the stock layout as people shorten it
}
"""Conversion patterns by the name that stands in the layout of a log."""
