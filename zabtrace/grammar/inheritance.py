"""Classes that print with the logger of another one: layouts that print the logger (``%c``) name that one, ``%C`` the class itself.

Source: the LOG fields of ZooKeeper 3.4.14 to 3.9.3. A class without one of its own inherits its superclass's; others name another class.
"""

from __future__ import annotations

PRINTING = {
    "learner": ("follower", "observer"),  # an observer has its own from 3.5 on
    "zookeeperserver": (
        "leaderzookeeperserver",
        "learnerzookeeperserver",
        "quorumzookeeperserver",
        "readonlyzookeeperserver",
        "ratelogger",
    ),
    "filetxnlog": ("filepadding",),
    "abstractfourlettercommand": ("statcommand",),
    "nioservercnxnfactory": ("ratelogger",),
    "datatree": ("ratelogger",),
}
"""By the class that a logger is named after: the other classes whose lines it prints, in lower case as ``messages.class_of``."""


def printing(class_: str) -> tuple[str, ...]:
    """The class of that name, and those that print with its logger.

    >>> printing("learner"), printing("leader")
    (('learner', 'follower', 'observer'), ('leader',))
    """
    return (class_, *PRINTING.get(class_, ()))
