"""``tree``, ``top`` and ``diff``: the tree of a server at any zxid, what is large in it, and how two trees differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zabtrace.cli import znode
from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.output import STREAMED, put, put_parts
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from zabtrace.documents.trees import Sides
    from zabtrace.evidence.trace import Trace
    from zabtrace.replay.tree import Replayed

PARTS = ("largest", "subtrees", "children", "written", "growth", "errors")
ONE_SERVER = "The server whose data are replayed; needed where there are several."


def _one_server(asked: Asked, trace: Trace) -> int:
    """The server that is meant: the one named, or the only one with data."""
    from zabtrace.documents.window import sids

    chosen = sorted(sids(asked.server, trace.servers))
    if not chosen:
        chosen = sorted({*trace.txns["server"].drop_nulls(), *trace.snapshots["server"].drop_nulls()})
    if len(chosen) != 1:
        labels = dict(trace.servers.select("server", "label").iter_rows())
        have = ", ".join(str(labels.get(server, server)) for server in chosen) or "none"
        raise UsageError(f"Name one server with --server; those with data are: {have}.")
    return int(chosen[0])


def _replayed(asked: Asked, trace: Trace, server: int, at: str | None, copy: int = 0) -> Replayed:
    from zabtrace.replay.tree import tree_at

    with asked.step("replaying the tree"):
        return tree_at(trace, server, _bound(trace, server, copy, at), copy)


def _bound(trace: Trace, server: int, copy: int, at: str | None) -> int | None:
    """The zxid that is meant; of an epoch its last one on that server. Raises UsageError."""
    import polars as pl

    from zabtrace import zxid
    from zabtrace.documents.window import point

    if at is None:
        return None
    bound = point(at)
    if bound.time is not None:
        raise UsageError(f"{at}: a tree is of a zxid or an epoch, since clocks order nothing. Write 0x100000016, 1/0x16 or e5.")
    if bound.low == bound.high:
        return bound.low
    mine = (pl.col("server") == server) & (pl.col("copy") == copy) & (pl.col("zxid") >= bound.low) & (pl.col("zxid") <= bound.high)
    held = [*trace.txns.filter(mine)["zxid"], *trace.snapshots.filter(mine & pl.col("valid"))["zxid"]]
    if not held:
        raise UsageError(f"{at}: that server's data hold nothing of epoch {zxid.epoch(bound.low)}.")
    return int(max(held))


@click.command()
@shared(*TABULAR, filters=True)
@click.option("--at", metavar="ZXID", help="Replay up to this zxid (or epoch); without it, everything.")
@click.option("--copy", type=click.IntRange(0), default=0, metavar="N", help="Which saved state of the server: 0 is the newest.")
@click.option("--values", is_flag=True, help="Show the data of the znodes.")
@click.option("--snapshots", is_flag=True, help="The znodes of every snapshot file, as stored; nothing is replayed.")
@znode.PATH
def tree(asked: Asked, at: str | None, copy: int, values: bool, snapshots: bool, path: str | None) -> int:
    """Rebuild the tree of a server at any zxid, from its nearest usable snapshot and its log; EVIDENCE may end with a znode PATH.

    \b
    Examples:
      zabtrace tree incident/ --server 1 --at 0x100000060
      zabtrace tree incident/ --server 3 --at e1 /app --values
      zabtrace tree --snapshots server-1/ --format ndjson
    """
    znode.check_target(asked)
    asked, below = znode.split(asked, path)
    if snapshots:
        return _stored(asked)
    if asked.low or asked.high:
        raise UsageError("--from and --to choose among the znodes of snapshots (--snapshots). Give --at the zxid of the tree.")
    from zabtrace.render import trees

    trace = asked.trace()
    put(asked, trees.tree(trace, _replayed(asked, trace, _one_server(asked, trace), at, copy), below or "/", values=values))
    return 0


def _stored(asked: Asked) -> int:
    from zabtrace import evidence
    from zabtrace.render import records

    if asked.format in STREAMED:
        head, parts = evidence.znodes_by_snapshot(asked.evidence, asked.before, asked.timezone, asked.log_pattern)
        window = asked.window(head.servers)
        put_parts(asked, (records.tree(head, znodes, window) for znodes in parts))
        return 0
    trace = asked.trace()
    znodes = evidence.znodes(asked.evidence, before=asked.before, timezone=asked.timezone)
    put(asked, records.tree(trace, znodes, asked.window(trace.servers)))
    return 0


@click.command()
@shared(*TABULAR)
@click.option("--server", multiple=True, metavar="SERVER", help=ONE_SERVER)
@click.option("--at", metavar="ZXID", help="The tree at this zxid; without it, the last one.")
@click.option("--since", metavar="ZXID", help="Growth since this zxid; without it, since the oldest snapshot.")
@click.option("--by", type=click.Choice(PARTS), help="Only this part; it is what ndjson, csv and parquet hold (default: largest).")
@click.option("-n", "few", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="So many rows of each part.")
def top(asked: Asked, at: str | None, since: str | None, by: str | None, few: int) -> int:
    """Say what is large, what grew, what was written most, and which sessions ran into errors.

    \b
    Examples:
      zabtrace top incident/ --server 1
      zabtrace top incident/ --server 1 --by growth --since e1 -n 50
    """
    from zabtrace.render import trees

    znode.check_target(asked)
    trace = asked.trace()
    server = _one_server(asked, trace)
    replayed = _replayed(asked, trace, server, at)
    put(asked, trees.top(trace, replayed, _earlier(asked, trace, replayed, since), few, by))
    return 0


def _earlier(asked: Asked, trace: Trace, replayed: Replayed, since: str | None) -> Replayed | None:
    """The tree that growth is counted from."""
    from zabtrace.replay.tree import tree_at
    from zabtrace.replay.tree_base import bases

    if since is not None:
        return _replayed(asked, trace, replayed.server, since)
    older = [base for base in bases(trace, replayed.server, 0) if base.zxid < replayed.zxid]
    return tree_at(trace, replayed.server, older[0].zxid) if older else None


@click.command()
@shared(*TABULAR)
@click.option("--server", multiple=True, metavar="SERVER", help="A side (twice: two servers; once: two zxids or copies of it).")
@click.option("--at", multiple=True, metavar="ZXID", help="The zxid to compare at; twice: one for each side.")
@click.option("--copy", multiple=True, type=click.IntRange(0), metavar="N", help="Saved state, 0 is the newest; twice: one for each side.")
@click.option("--snapshot", multiple=True, metavar="FILE", help="A snapshot file as stored, by the end of its name (twice).")
@click.option("--all", "every", is_flag=True, help="List also what is known to mean nothing.")
@znode.PATH
def diff(asked: Asked, at: tuple[str, ...], copy: tuple[int, ...], snapshot: tuple[str, ...], every: bool, path: str | None) -> int:
    """Compare two trees: two servers at one zxid, two zxids or saved states of one server, or two snapshot files.

    Lists znodes on one side only and znodes that differ (data, ACL lists, stats), ephemeral znodes without a session, and the first
    zxid at which the histories of two servers part. EVIDENCE may end with a znode PATH.

    \b
    Examples:
      zabtrace diff incident/ --server 1 --server 3
      zabtrace diff incident/ --server 1 --server 2 --at 0x100000060 /app
      zabtrace diff incident/ --server 1 --at e1 --at e2
      zabtrace diff incident/ --before saved/ --server 3 --copy 1 --copy 0
      zabtrace diff server-1/ --snapshot snapshot.100000001 --snapshot snapshot.100000064
    """
    from zabtrace.render import trees
    from zabtrace.replay.tree_diff import differences

    znode.check_target(asked)
    asked, below = znode.split(asked, path)
    trace = asked.trace()
    sides = _snapshot_sides(trace, snapshot) if snapshot else _server_sides(asked, trace, at, copy)
    with asked.step("comparing"):
        put(asked, trees.diff(trace, sides, differences(sides.left, sides.right, below or "/"), every=every))
    return 0


def _snapshot_sides(trace: Trace, wanted: tuple[str, ...]) -> Sides:
    from zabtrace.documents.trees import Sides
    from zabtrace.replay.tree import snapshot_tree

    if len(wanted) != 2:
        raise UsageError("Name two snapshot files: --snapshot FILE --snapshot FILE.")
    names = []
    for word in wanted:
        found = [name for name in trace.snapshots["source"].to_list() if name == word or name.endswith(f"/{word.lstrip('/')}")]
        if len(found) != 1:
            raise UsageError(f"--snapshot {word}: {len(found)} snapshots of the evidence end so{_listed(trace, found)}.")
        names += found
    return Sides(snapshot_tree(trace, names[0]), snapshot_tree(trace, names[1]), (names[0], names[1]), histories=False)


def _listed(trace: Trace, found: list[str]) -> str:
    """The snapshots that end so, or which could be named; a dump is none of them."""
    if found or trace.snapshots.is_empty():
        return f": {', '.join(found)}" if found else ". What SnapshotFormatter printed is listed by zabtrace tree --snapshots"
    return f". There are: {', '.join(sorted(trace.snapshots['source'])[:10])}"


def _server_sides(asked: Asked, trace: Trace, at: tuple[str, ...], copy: tuple[int, ...]) -> Sides:
    """The trees of two servers, or of one server at two zxids or in two saved states."""
    from zabtrace.documents.trees import Sides
    from zabtrace.documents.window import sids
    from zabtrace.zxid import text

    servers = [next(iter(sids((name,), trace.servers))) for name in asked.server] or [_one_server(asked, trace)]
    for values, option in ((servers, "--server"), (at, "--at"), (copy, "--copy")):
        if len(values) > 2:
            raise UsageError(f"Two sides can be compared: {option} is given {len(values)} times.")
    if max(len(servers), len(at), len(copy)) < 2:
        raise UsageError("Name two sides: --server twice, --at twice, --copy twice, or --snapshot twice.")
    pair = [(servers[min(i, len(servers) - 1)], (*copy, *copy, 0, 0)[i if len(copy) > 1 else 0]) for i in (0, 1)]
    bounds: list[str | None] = [*at] if len(at) == 2 else [*at, *at] if at else _common_end(trace, pair)
    left, right = (_replayed(asked, trace, server, bound, state) for (server, state), bound in zip(pair, bounds, strict=True))
    labels = dict(trace.servers.select("server", "label").iter_rows())
    copies = pair[0][0] == pair[1][0]
    names = []
    for one in (left, right):
        state = f" copy {one.copy}" if copies or one.copy else ""
        names.append(f"server {labels.get(one.server, one.server)}{state} at {text(one.zxid)}")
    return Sides(left, right, (names[0], names[1]), histories=pair[0] != pair[1])


def _common_end(trace: Trace, pair: list[tuple[int, int]]) -> list[str | None]:
    """Two servers are compared at the last zxid that both have; two states of one server each at its own end."""
    from zabtrace.replay.disks import disks
    from zabtrace.zxid import text

    if pair[0][0] == pair[1][0]:
        return [None, None]
    ends = {(server, copy): last for server, copy, last in disks(trace).select("server", "copy", "last_zxid").iter_rows()}
    lasts = [ends.get(side) for side in pair]
    known = [last for last in lasts if last is not None]
    return [text(min(known))] * 2 if len(known) == 2 else [None, None]
