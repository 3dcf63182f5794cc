"""Every table's Arrow schema, declared once: one line per column (name, type, meaning with its unit).

Strategy: a table is a tuple of columns; ``frame`` builds a frame of it and ``conform`` puts one in its order and types, so
that no other module names a type. All times are Datetime in milliseconds, UTC. zxids and session ids are Int64 as in Java.
``server`` is the sid; a server whose sid is not known has a negative number, and its label stands in SERVERS.
``copy`` numbers the states of one server's data that were saved: 0 is the newest, 1 the one before it, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

TIME = pl.Datetime("ms", "UTC")
CALENDAR = (-62_104_060_800_000, 253_370_764_799_999)
"""Times that are taken for times, in ms since 1970: years 2 to 9998. Python's datetime holds a year more at each end, which leaves room
for zones and for what is drawn around a time. Any 64 bits can stand in a record, and any four digits in a stamp."""
INT = pl.Int64
TEXT = pl.String
FLAG = pl.Boolean


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its type, and what it means, with the unit."""

    name: str
    type: Any
    meaning: str


def _columns(*rows: tuple[str, Any, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


_PLACE = (
    ("server", INT, "sid of the server whose file this is"),
    ("copy", INT, "which saved state of that server, 0 is the newest"),
    ("source", TEXT, "name of the file"),
)

# ---------------------------------------------------------------- evidence
SERVERS = _columns(
    ("server", INT, "sid, or a negative number where it is not known"),
    ("label", TEXT, "what to call it: the sid as text, else NAME or folder"),
    ("identified_by", TEXT, "what gave the sid: myid, the log's own words, zoo.cfg, NAME=, or nothing"),
    ("version", TEXT, "ZooKeeper version of its newest process, from its log"),
    ("timezone", TEXT, "zone its log stamps are read in"),
)
SOURCES = _columns(
    ("source", TEXT, "name of the file"),
    ("server", INT, "sid of the server it belongs to, null where it belongs to none"),
    ("copy", INT, "which saved state of that server, null for files that are not data"),
    ("kind", TEXT, "what it was taken for, one of evidence.KINDS, or 'unrecognised'"),
    ("bytes", INT, "size as stored"),
    ("compression", TEXT, "gz, bz2, xz, zst, snappy or null"),
    ("layout", TEXT, "layout of a text log"),
    ("lines", INT, "physical lines of a text log"),
    ("understood", INT, "lines of records whose message the grammar knows"),
    ("unknown", INT, "lines of ZooKeeper records whose message it does not know"),
    ("foreign", INT, "lines of other programs or without any known layout"),
    ("damaged", INT, "lines that could not be read"),
    ("note", TEXT, "why it was taken for that, or what is odd about it"),
)
HARMS = ("data", "tail", "none")
"""What damage may harm, worst first: see ``DAMAGE.harm``."""
DAMAGE = _columns(
    *_PLACE,
    ("line", INT, "line of a text file, from 1"),
    ("offset", INT, "byte offset in the (uncompressed) file"),
    ("reason", TEXT, "what is wrong there, with the bytes needed and present"),
    ("harm", TEXT, "tail: an ordinary end after a crash; data: more than that; none: only listed"),
    ("zxid", INT, "last good zxid before the damage"),
    ("next_step", TEXT, "what to do about it"),
)
LINES = _columns(
    ("server", INT, "sid of the server that printed it"),
    ("source", TEXT, "name of the log file"),
    ("order", INT, "place of the file in its server's series, oldest first"),
    ("line", INT, "physical line of the record's first line, from 1"),
    ("time", TIME, "stamp of the record"),
    ("level", TEXT, "INFO, WARN, ..."),
    ("thread", TEXT, "thread name"),
    ("logger", TEXT, "last part of the class or logger name, inner classes with $"),
    ("kind", TEXT, "event kind: the alias in messages.lark; null where unknown"),
    ("message", TEXT, "message part of the record's first physical line"),
    ("trace", TEXT, "first line of the stack trace or continuation below it"),
    ("continued", INT, "physical lines below the first that belong to the record"),
)
LEVELS = _columns(
    ("source", TEXT, "name of the log file"),
    ("server", INT, "sid of the server that printed it"),
    ("level", TEXT, "INFO, WARN, ..."),
    ("lines", INT, "physical lines of records of that level, other programs' left out"),
    ("understood", INT, "those whose message the grammar knows"),
)
TXNS = _columns(
    *_PLACE,
    ("offset", INT, "where the record's checksum field begins"),
    ("zxid", INT, "zxid"),
    ("time", TIME, "wall clock of the leader that made it"),
    ("session", INT, "session id (clientId)"),
    ("cxid", INT, "the client's number of the request"),
    ("type", INT, "op code"),
    ("op", TEXT, "ZooKeeper's name of the op code; 'unknown(N)' for others"),
    ("path", TEXT, "znode path"),
    ("paths", pl.List(TEXT), "ephemeral znodes that a closeSession removes (3.6 and newer); null where the record has no list"),
    ("data_offset", INT, "file offset of the znode data"),
    ("data_len", INT, "bytes of znode data, null where the data are null"),
    ("version", INT, "version after the write (setData, setACL, check)"),
    ("parent_cversion", INT, "cversion of the parent after a create"),
    ("ephemeral", FLAG, "created as ephemeral"),
    ("ttl", INT, "time to live in ms"),
    ("timeout", INT, "session timeout in ms (createSession)"),
    ("error", INT, "KeeperException code of a failed request"),
    ("acl", TEXT, "ACL list as text, perms:scheme:id joined by ','"),
    ("failed", FLAG, "type error, or a multi with a failed member: no effect on the tree"),
    ("digest_version", INT, "version of the stored digest, null where none"),
    ("digest", INT, "tree digest after this transaction (signed)"),
    ("checksum", INT, "stored Adler-32"),
    ("checksum_ok", FLAG, "the payload matches it"),
    ("payload_len", INT, "bytes of the payload"),
    ("payload_hash", pl.UInt64, "hash of header and body without digest and without the list of a closeSession"),
    ("dump", FLAG, "true where it was read from what ZooKeeper's own tool printed; offset and data_offset are then places in that text"),
)
TXN_OPS = _columns(
    *_PLACE,
    ("offset", INT, "offset of the multi's record"),
    ("zxid", INT, "zxid of the multi"),
    ("index", INT, "place in the multi, from 0"),
    ("type", INT, "op code"),
    ("op", TEXT, "name of the op code"),
    ("path", TEXT, "znode path"),
    ("data_offset", INT, "file offset of the data"),
    ("data_len", INT, "bytes of data"),
    ("version", INT, "version after the write, or the checked one"),
    ("parent_cversion", INT, "cversion of the parent after a create"),
    ("ephemeral", FLAG, "created as ephemeral"),
    ("ttl", INT, "time to live in ms"),
    ("acl", TEXT, "ACL list as text, perms:scheme:id joined by ','"),
    ("error", INT, "error code of a failed member"),
)
TXN_FILES = _columns(
    *_PLACE,
    ("name_zxid", INT, "the zxid in its name"),
    ("first_zxid", INT, "zxid of the first record"),
    ("last_zxid", INT, "zxid of the last good record"),
    ("records", INT, "good records"),
    ("end", INT, "offset behind the last good record"),
    ("bytes", INT, "size of the file"),
    ("ending", TEXT, "padded, unpadded, torn, damaged, empty"),
)
FOLDS = _columns(
    *_PLACE,
    ("offset", INT, "offset of a record that stays, behind consecutive ones that were left out because nothing tells them apart"),
    ("zxid", INT, "its zxid"),
    ("skipped", INT, "how many were left out"),
    ("ops", pl.List(pl.Struct({"op": TEXT, "count": INT})), "their operations"),
)
SNAPSHOTS = _columns(
    *_PLACE,
    ("zxid", INT, "the zxid in its name"),
    ("compression", TEXT, "gz, snappy or null"),
    ("valid", FLAG, "all of its sections and seals check"),
    ("reason", TEXT, "why it is not valid"),
    ("bytes", INT, "size as stored"),
    ("nodes", INT, "znodes"),
    ("sessions", INT, "sessions"),
    ("max_zxid", INT, "largest czxid, mzxid or pzxid outside /zookeeper"),
    ("digest_zxid", INT, "zxid of the digest section, null where there is none"),
    ("digest", INT, "tree digest of that section (signed)"),
    ("tree_digest", INT, "tree digest computed over the nodes (signed)"),
    ("last_zxid", INT, "last processed zxid of the last section (3.9), else null"),
)
ZNODES = _columns(
    *_PLACE,
    ("offset", INT, "offset of the node in the uncompressed snapshot"),
    ("path", TEXT, "znode path, the root is /"),
    ("data_offset", INT, "offset of the data in the uncompressed snapshot"),
    ("data_len", INT, "bytes of data, null where the data are null"),
    ("acl_id", INT, "id of the ACL list in this file"),
    ("czxid", INT, "zxid that created it"),
    ("mzxid", INT, "zxid of the last change of its data"),
    ("ctime", INT, "ms since 1970"),
    ("mtime", INT, "ms since 1970"),
    ("version", INT, "data version"),
    ("cversion", INT, "child creations"),
    ("aversion", INT, "ACL version"),
    ("ephemeral_owner", INT, "session of an ephemeral node; container and TTL marks"),
    ("pzxid", INT, "zxid of the last change of its children"),
    ("dump", FLAG, "true where it was read from what ZooKeeper's own tool printed, which tells times to the second"),
)
SNAPSHOT_SESSIONS = _columns(
    *_PLACE,
    ("session", INT, "session id"),
    ("timeout", INT, "its time-out in ms"),
)
ACLS = _columns(
    *_PLACE,
    ("acl_id", INT, "id of the list in this snapshot; -1, open to all (31:world:anyone), is never listed"),
    ("acl", TEXT, "ACL list as text, perms:scheme:id joined by ','; null for a null list"),
)
EPOCH_FILES = _columns(
    *_PLACE,
    ("name", TEXT, "currentEpoch, acceptedEpoch, currentEpoch.tmp, acceptedEpoch.tmp or updatingEpoch"),
    ("epoch", INT, "the epoch it holds, null where it holds none"),
)
MEMBERS = _columns(
    *_PLACE,
    ("config_zxid", INT, "zxid from which this configuration is in force, null: static"),
    ("sid", INT, "the member"),
    ("role", TEXT, "participant or observer"),
    ("host", TEXT, "host"),
    ("quorum_port", INT, "port for learners"),
    ("election_port", INT, "port for votes"),
    ("group", INT, "group of a hierarchical quorum, null without groups"),
    ("weight", INT, "weight, 1 where not given"),
    ("line", INT, "line of the file"),
    ("addresses", pl.List(TEXT), "all its addresses, host:port for learners:port for votes, where it has several (3.6 and newer)"),
    ("client_host", TEXT, "address it listens on for clients, where its own line says so (3.5 and newer)"),
    ("client_port", INT, "port for clients, where its own line says so"),
)
SETTINGS = _columns(
    ("server", INT, "sid"), ("source", TEXT, "configuration file"), ("line", INT, "line, from 1"),
    ("key", TEXT, "key"), ("value", TEXT, "value"),
)  # fmt: skip
FACTS = _columns(
    ("server", INT, "sid of the server that answered"),
    ("source", TEXT, "file of the answer to a four-letter word"),
    ("line", INT, "line, from 1"),
    ("key", TEXT, "what is told: mode, zxid, nodes, session, .., or the key that the answer prints"),
    ("value", TEXT, "its value as printed"),
    ("zxid", INT, "last zxid that the server had processed, or that it had sent to that session"),
    ("session", INT, "session id"),
    ("address", TEXT, "address of a client"),
    ("timeout", INT, "time-out of the session in ms"),
    ("since", TIME, "when the connection began, by the server's clock: the answer is not older; no answer names its own time"),
    ("asked", TIME, "when it was asked, where a line above the answer tells, as `date` prints it (UTC, or with an offset)"),
)
CLIENT_OPS = _columns(
    ("source", TEXT, "client history"),
    ("line", INT, "line, from 1"),
    ("client", TEXT, "name of the client"),
    ("session", INT, "session id"),
    ("op", TEXT, "operation as the client names it"),
    ("path", TEXT, "znode path"),
    ("data", TEXT, "data"),
    ("start", TIME, "sent"),
    ("end", TIME, "answered or given up"),
    ("outcome", TEXT, "acknowledged, refused (ZooKeeper answered with an error) or unknown"),
    ("error", TEXT, "error name"),
    ("zxid", INT, "zxid in the reply to a write"),
    ("reply_zxid", INT, "zxid in the header of any reply"),
    ("czxid", INT, "czxid in a stat"),
    ("mzxid", INT, "mzxid in a stat"),
    ("version", INT, "data version in a stat"),
    ("cxid", INT, "the client's number of the request (xid)"),
    ("members", pl.List(pl.Struct({"op": TEXT, "path": TEXT, "data": TEXT})), "operations of a multi, null where the client names none"),
    ("write", FLAG, "the operation asks for a change"),
)

# ---------------------------------------------------------------- fields of messages (messages.lark: a field rule of that name)
FIELDS = _columns(
    ("sid", INT, "the server the message speaks of: sender, learner, peer"),
    ("my_sid", INT, "the server that prints it"),
    ("leader", INT, "the server voted for, or followed"),
    ("zxid", INT, "the zxid it speaks of"),
    ("round", INT, "election round (logical clock); -1 as 0xffffffffffffffff"),
    ("peer_epoch", INT, "n.peerEpoch of a vote"),
    ("epoch", INT, "leader epoch"),
    ("accepted_epoch", INT, "accepted epoch"),
    ("state", TEXT, "state of the sender: LOOKING, FOLLOWING, LEADING, OBSERVING"),
    ("my_state", TEXT, "state of the server that prints it"),
    ("format_version", INT, "message format version of a vote"),
    ("config_version", INT, "config version of a vote or learner"),
    ("ms", INT, "duration or time-out in ms"),
    ("role", TEXT, "following, leading, observing, looking"),
    ("phase", TEXT, "discovery, synchronization, broadcast"),
    ("mode", TEXT, "diff, trunc, snap as printed"),
    ("sids", TEXT, "list of sids as printed"),
    ("address", TEXT, "socket address as printed"),
    ("spec", TEXT, "server specification as printed"),
    ("version", TEXT, "ZooKeeper version as printed"),
    ("peer_zxid", INT, "last zxid of the learner"),
    ("leader_zxid", INT, "last zxid of the leader"),
    ("db_zxid", INT, "zxid of the database that is sent"),
    ("min_committed", INT, "minCommittedLog"),
    ("max_committed", INT, "maxCommittedLog"),
    ("last_processed", INT, "lastProcessedZxid"),
    ("expected_zxid", INT, "zxid that was expected"),
    ("path", TEXT, "file path or znode path"),
    ("reason", TEXT, "reason as printed"),
    ("synced", FLAG, "sync state"),
    ("session", INT, "session id"),
    ("type", TEXT, "operation or packet type as printed"),
    ("cxid", INT, "cxid as printed"),
    ("code", INT, "exit code or error code"),
    ("thread_name", TEXT, "a thread the message names"),
    ("key", TEXT, "property name"),
    ("value", TEXT, "property value"),
    ("count", INT, "a number of things"),
    ("text", TEXT, "free text of a message"),
    ("text_2", TEXT, "a second text"),
    ("error", TEXT, "exception or error as printed"),
    ("flag", FLAG, "what a setting or test says: true or false"),
    ("number", INT, "a number without a unit"),
    ("number_2", INT, "a second one"),
    ("count_2", INT, "a second number of things"),
    ("count_3", INT, "a third one"),
    ("ms_2", INT, "a second duration or time-out in ms"),
    ("ms_3", INT, "a third one"),
    ("bytes", INT, "a size, length or limit"),
    ("bytes_2", INT, "a second one"),
    ("port", INT, "port"),
    ("digest", INT, "digest of the tree, signed, or its version"),
    ("digest_2", INT, "the one it is compared with"),
    ("txn_type", TEXT, "type of a request's transaction: a number, or unknown"),
    ("sid_2", INT, "the server that is compared with"),
    ("zxid_2", INT, "the zxid that is compared with"),
    ("zxid_3", INT, "a third zxid"),
    ("epoch_2", INT, "the epoch that is compared with"),
    ("round_2", INT, "the round that is compared with"),
    ("address_2", TEXT, "a second address"),
    ("address_3", TEXT, "a third one"),
    ("path_2", TEXT, "a second path"),
    ("user", TEXT, "user, scheme or identity as printed"),
    ("acl", TEXT, "ACL as printed"),
    ("node_type", TEXT, "type of the znode, in audit logs"),
    ("result", TEXT, "outcome of an operation, in audit logs"),
)

# ---------------------------------------------------------------- history (replay)
PROCESSES = _columns(
    ("server", INT, "sid"),
    ("process", INT, "number of the process on that server, from 1"),
    ("start", TIME, "first line"),
    ("end", TIME, "last line"),
    ("source", TEXT, "file of the first line"),
    ("line", INT, "first line"),
    ("version", TEXT, "ZooKeeper version, null where it prints none"),
    ("ended_by", TEXT, "what ended it: its own words, or 'no line: killed or cut off'"),
)
ROLES = _columns(
    ("server", INT, "sid"),
    ("process", INT, "number of the process"),
    ("role", TEXT, "LOOKING, FOLLOWING, LEADING, OBSERVING, STARTING, DOWN or UNKNOWN"),
    ("start", TIME, "first line of the interval"),
    ("end", TIME, "first line of the next interval, or the last line seen"),
    ("leader", INT, "whom it follows or observes; itself while leading"),
    ("epoch", INT, "the leader epoch it served in, null where it never got there"),
    ("served", TIME, "when broadcast began in it, null where it never did"),
    ("source", TEXT, "file of the line that began it"),
    ("line", INT, "line that began it"),
    ("end_source", TEXT, "file of the line that ended it"),
    ("end_line", INT, "line that ended it"),
)
VOTES = _columns(
    ("election", INT, "election it belongs to, null outside of any"),
    ("time", TIME, "when it was received"),
    ("server", INT, "who cast it"),
    ("state", TEXT, "its state"),
    ("round", INT, "its round"),
    ("voted_for", INT, "its candidate"),
    ("zxid", INT, "zxid of the vote"),
    ("peer_epoch", INT, "peerEpoch of the vote"),
    ("seen_by", INT, "who printed it"),
    ("source", TEXT, "log file"),
    ("line", INT, "line"),
)
ELECTIONS = _columns(
    ("election", INT, "number, in order"),
    ("round", INT, "round in which it was decided"),
    ("start", TIME, "first LOOKING"),
    ("end", TIME, "last decision"),
    ("leader", INT, "who won, null: nobody"),
    ("epoch", INT, "the epoch its leader then established"),
    ("kind", TEXT, "vote, join, handover, or unknown: a vote or a join"),
    ("decided_by", TEXT, "epoch, zxid, sid, alone or existing leader"),
    ("quorum", pl.List(INT), "servers that agreed"),
    ("servers", pl.List(INT), "servers that were LOOKING in it"),
    ("logged_ms", pl.List(pl.Struct({"server": INT, "ms": INT})), "LEADER ELECTION TOOK, per server"),
    ("why", TEXT, "one sentence"),
    ("source", TEXT, "file of the decisive line"),
    ("line", INT, "decisive line"),
)
EPOCHS = _columns(
    ("epoch", INT, "leader epoch"),
    ("leader", INT, "its leader, null where nothing names it"),
    ("status", TEXT, "established or attempted"),
    ("established", TIME, "when its NEWLEADER quorum stood"),
    ("ended", TIME, "when its leader stopped or was last heard"),
    ("first_zxid", INT, "first zxid known of it"),
    ("last_zxid", INT, "last zxid known of it"),
    ("writes", INT, "distinct zxids known of it"),
    ("followers", pl.List(INT), "voters that synchronized in it"),
    ("observers", pl.List(INT), "observers that did"),
    ("ended_by", TEXT, "what ended it"),
    ("evidence", TEXT, "what shows it"),
    ("source", TEXT, "file of that"),
    ("line", INT, "line, null for data files"),
)
SYNCS = _columns(
    ("time", TIME, "when the learner (else the leader) printed it"),
    ("learner", INT, "who was brought up to date"),
    ("leader", INT, "by whom"),
    ("epoch", INT, "epoch of the leader"),
    ("mode", TEXT, "DIFF, TRUNC, TRUNC+DIFF or SNAP"),
    ("learner_zxid", INT, "where the learner stood"),
    ("to_zxid", INT, "where it was brought"),
    ("truncated_to", INT, "last zxid kept, for TRUNC"),
    ("discarded_from", INT, "first zxid discarded"),
    ("discarded_to", INT, "last zxid discarded"),
    ("discarded_count", INT, "how many, null where only the bounds are known"),
    ("why", TEXT, "one sentence"),
    ("source", TEXT, "file of the deciding line"),
    ("line", INT, "that line"),
    ("before_writes", FLAG, "the leader had no transaction of its epoch yet"),
)
DISKS = _columns(
    ("server", INT, "sid"),
    ("copy", INT, "which saved state, 0 is the newest"),
    ("base_zxid", INT, "name of the newest valid snapshot, null: none"),
    ("base_source", TEXT, "that snapshot"),
    ("last_record", INT, "last record in file order, null: none"),
    ("last_zxid", INT, "larger of base and last replayed record, null without files"),
    ("current_epoch", INT, "currentEpoch file"),
    ("accepted_epoch", INT, "acceptedEpoch file"),
    ("records", INT, "records"),
    ("first_record", INT, "first record in file order"),
)

# ---------------------------------------------------------------- trees (replay)
TREE = _columns(
    ("server", INT, "sid of the server whose tree it is"),
    ("copy", INT, "which saved state of that server, 0 is the newest"),
    ("path", TEXT, "znode path, the root is /"),
    ("kind", TEXT, "persistent, ephemeral, container or ttl"),
    ("data_len", INT, "bytes of data, null where the data are null"),
    ("value", TEXT, "the data, where they were asked for"),
    ("version", INT, "data version"),
    ("cversion", INT, "child creations; a client sees 2 * cversion - children"),
    ("aversion", INT, "ACL version"),
    ("children", INT, "children"),
    ("czxid", INT, "zxid that created it"),
    ("mzxid", INT, "zxid of the last change of its data"),
    ("pzxid", INT, "zxid of the last change of its children"),
    ("ctime", TIME, "when it was created, clock of the leader"),
    ("mtime", TIME, "when its data were changed, clock of the leader"),
    ("ephemeral_owner", INT, "session of an ephemeral node; container and TTL marks; 0: none"),
    ("ttl", INT, "time to live in ms of a TTL node"),
    ("acl", TEXT, "ACL list as text, perms:scheme:id joined by ','"),
    ("source", TEXT, "file that holds the data"),
    ("data_offset", INT, "offset of the data in the uncompressed file"),
)
CHANGES = _columns(
    ("zxid", INT, "zxid of the change"),
    ("time", TIME, "wall clock of the leader that made it"),
    ("op", TEXT, "operation; closeSession where an ephemeral node went with its session"),
    ("path", TEXT, "znode path"),
    ("change", TEXT, "created, changed, acl, deleted, or without effect"),
    ("session", INT, "session that asked for it"),
    ("client", TEXT, "addresses from which a text log saw that session connect, in the order of their lines"),
    ("old_len", INT, "bytes of data before, null where there were none"),
    ("new_len", INT, "bytes of data after it"),
    ("old_value", TEXT, "data before, where they were asked for"),
    ("new_value", TEXT, "data after, where they were asked for"),
    ("version", INT, "data version after it, of setACL the ACL version"),
    ("fate", TEXT, "what became of the write"),
    ("why", TEXT, "why that fate"),
    ("on", pl.List(INT), "servers whose newest copy holds the record"),
    ("server", INT, "server whose file is named"),
    ("copy", INT, "which saved state of that server"),
    ("source", TEXT, "file of the record"),
    ("offset", INT, "where the record's checksum field begins"),
    ("payload_hash", pl.UInt64, "tells two payloads under one zxid apart"),
)
SESSIONS = _columns(
    ("session", INT, "session id"),
    ("server", INT, "server that created it: the high byte of its id"),
    ("timeout", INT, "time-out in ms"),
    ("state", TEXT, "open, closed (by its client), expired (by the leader) or undecided"),
    ("created_zxid", INT, "zxid of its createSession, null where no record was read"),
    ("created", TIME, "when, clock of the leader"),
    ("ended_zxid", INT, "zxid of its closeSession"),
    ("ended", TIME, "when, clock of the leader"),
    ("client", TEXT, "addresses from which a text log saw it connect"),
    ("ephemerals", pl.List(TEXT), "ephemeral nodes that it created"),
    ("left", pl.List(TEXT), "those that the newest tree still holds"),
    ("why", TEXT, "what shows its state"),
    ("source", TEXT, "file that shows its creation"),
    ("offset", INT, "offset of that record, null in a snapshot"),
)
DIFFERENCES = _columns(
    ("path", TEXT, "znode path"),
    ("difference", TEXT, "only left, only right, or what differs: data, acl, owner, stat, joined by ','"),
    ("harmless", TEXT, "why it means nothing, null where it may mean something"),
    ("left", TEXT, "what the left side has"),
    ("right", TEXT, "what the right side has"),
    ("left_zxid", INT, "last change of the node on the left: larger of mzxid and pzxid"),
    ("right_zxid", INT, "the same on the right"),
    ("ephemeral_owner", INT, "its session, where it is ephemeral"),
)
DIGESTS = _columns(
    *_PLACE,
    ("offset", INT, "offset of the record, null for a snapshot"),
    ("zxid", INT, "zxid of the digest"),
    ("stored", INT, "stored tree digest (signed)"),
    ("computed", INT, "tree digest that replay computes (signed)"),
    ("count", INT, "stored digests that differ from here on, until one matches again"),
    ("explained_by", TEXT, "what explains it, null where nothing does: the data are not what their leader had"),
)

# ---------------------------------------------------------------- verdicts (fates, predict)
EVIDENCE = pl.List(pl.Struct({"source": TEXT, "line": INT, "offset": INT, "says": TEXT}))
LOSSES = _columns(
    ("time", TIME, "when the server noticed, by its own clock"),
    ("server", INT, "who noticed"),
    ("lost", INT, "whom it lost: its leader, a learner, or itself where it stepped down or its process ended"),
    ("what", TEXT, "what it noticed, one sentence"),
    ("cause", TEXT, "probable cause, null: no cause visible"),
    ("evidence", EVIDENCE, "where it is shown, the server's own line first"),
)
PAUSES = _columns(
    ("server", INT, "who printed nothing, and only then saw that others had given it up"),
    ("start", TIME, "last line before, by its own clock"),
    ("end", TIME, "first line after"),
    ("source", TEXT, "file of that"),
    ("line", INT, "line, from 1"),
)
CLOCKS = _columns(
    ("server", INT, "one server"),
    ("against", INT, "the other"),
    ("low_ms", INT, "its stamps are at least so many ms ahead of the other's, null: not bounded"),
    ("high_ms", INT, "and at most so many"),
    ("since", TIME, "first message that the bounds rest on, by the server's own clock"),
    ("until", TIME, "last one"),
    ("evidence", EVIDENCE, "the lines that set the bounds"),
)
FINDINGS = _columns(
    ("what", TEXT, "which rule of the protocol, or of time, the evidence does not fit"),
    ("why", TEXT, "one sentence"),
    ("evidence", EVIDENCE, "where it is shown"),
)
WRITES = _columns(
    ("zxid", INT, "zxid"),
    ("payload_hash", pl.UInt64, "tells two payloads under one zxid apart, null where no record was read"),
    ("fate", TEXT, "survived, recovered, truncated, shadowed, pending, lost, diverged or undecided"),
    ("committed", TEXT, "yes, no or unknown"),
    ("rule", TEXT, "id of the rule that decided, a row name of fates.RULES"),
    ("acknowledged", TEXT, "yes, no or unknown: did a client get its reply"),
    ("op", TEXT, "operation"),
    ("path", TEXT, "znode path"),
    ("ops", pl.List(pl.Struct({"op": TEXT, "path": TEXT})), "members of a multi"),
    ("session", INT, "session id"),
    ("cxid", INT, "cxid"),
    ("time", TIME, "header time"),
    ("on_disk_of", pl.List(INT), "servers in whose newest copy the record lies, in force or not"),
    ("absent_from", pl.List(INT), "servers whose newest copy covers that range and lacks it"),
    ("at_next_start", TEXT, "kept, discarded, returns or depends"),
    ("why", TEXT, "one sentence"),
    ("settled_by", TEXT, "what would settle it"),
    ("evidence", EVIDENCE, "where it is shown"),
)
RANGES = _columns(
    ("fate", TEXT, "as for writes"),
    ("server", INT, "whose log it was in"),
    ("from", INT, "first zxid"),
    ("to", INT, "last zxid, null where not known"),
    ("count", INT, "how many, null where not known"),
    ("committed", TEXT, "yes (lost), no or unknown"),
    ("why", TEXT, "one sentence"),
    ("evidence", EVIDENCE, "where it is shown"),
)
CLIENTS = _columns(
    ("source", TEXT, "client history"),
    ("line", INT, "line, from 1"),
    ("op", TEXT, "operation"),
    ("path", TEXT, "znode path"),
    ("outcome", TEXT, "happened, did not or cannot tell"),
    ("zxid", INT, "its transaction"),
    ("why", TEXT, "one sentence"),
)

HELD = _columns(
    *_PLACE,
    ("from", INT, "first zxid that this is said of"),
    ("to", INT, "last zxid that this is said of"),
    ("count", INT, "how many of the story's zxids lie between them"),
    ("held", TEXT, "in force, hidden, covered, absent or unknown"),
    ("why", TEXT, "one sentence"),
    ("offset", INT, "where the first one's record begins"),
)
STEPS = _columns(
    ("at", INT, "where it stands in the history: a zxid, null where nothing places it"),
    ("time", TIME, "by the clock of whoever says it, never compared with another's"),
    ("server", INT, "whose doing it is, null for a client's"),
    ("what", TEXT, "asked, made, seen, logged, snapshot, established, ended, synced, discarded or said"),
    ("says", TEXT, "one sentence"),
    ("source", TEXT, "file that shows it"),
    ("line", INT, "line of a text file"),
    ("offset", INT, "offset in a data file"),
)
SALVAGED = _columns(
    ("zxid", INT, "zxid of the write"),
    ("index", INT, "place in a multi, null outside of one"),
    ("fate", TEXT, "what became of it"),
    ("committed", TEXT, "yes, no or unknown"),
    ("op", TEXT, "ZooKeeper's name of the operation"),
    ("path", TEXT, "znode path"),
    ("data", pl.Binary, "the data, exact; null where they are null or were not read"),
    ("data_len", INT, "bytes of data, null where the data are null"),
    ("content", TEXT, "record, client or not read: where the content comes from"),
    ("version", INT, "version after the write, as the record has it"),
    ("expected_version", INT, "version of the znode before the write, null where nothing tells it or there was none"),
    ("acl", TEXT, "ACL list as text, perms:scheme:id joined by ','"),
    ("ephemeral", FLAG, "created as ephemeral"),
    ("ttl", INT, "time to live in ms"),
    ("session", INT, "session that asked for it"),
    ("cxid", INT, "the client's number of the request"),
    ("time", TIME, "header time"),
    ("conflicts", pl.List(TEXT), "why it does not fit the tree that survived, a sentence each; empty where it fits"),
    ("source", TEXT, "file it was read from"),
    ("line", INT, "line of a client history"),
    ("offset", INT, "offset of its record"),
)


def types(table: Sequence[Column]) -> dict[str, Any]:
    """Column names and types of a table, in order."""
    return {column.name: column.type for column in table}


def frame(table: Sequence[Column], rows: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """A frame of ``table`` from rows; columns that a row does not name are null."""
    wanted = types(table)
    listed = list(rows)
    return pl.DataFrame({name: _series(name, [row.get(name) for row in listed], dtype) for name, dtype in wanted.items()}, schema=wanted)


def _series(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """A column; lists of structs as flat columns first, since polars makes a series of each list otherwise (10 KB apiece)."""
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return pl.Series(name, values, dtype=dtype)
    items = [item for value in values for item in value or ()]
    flat = {field.name: pl.Series(field.name, [item.get(field.name) for item in items], dtype=field.dtype) for field in dtype.inner.fields}
    whose = pl.Series("row", [number for number, value in enumerate(values) for _ in value or ()], dtype=pl.Int64)
    held = pl.DataFrame({"row": whose, name: pl.DataFrame(flat).to_struct(name)}).group_by("row", maintain_order=True).agg(name)
    given = pl.Series("given", [value is not None for value in values], dtype=pl.Boolean)
    joined = given.to_frame().with_row_index("row").cast({"row": pl.Int64}).join(held, on="row", how="left", maintain_order="left")
    filled = pl.when("given").then(pl.col(name).fill_null(pl.lit([], dtype=dtype))).cast(dtype)
    return joined.select(filled.alias(name)).to_series()


def conform(table: Sequence[Column], df: pl.DataFrame, **constants: Any) -> pl.DataFrame:
    """``df`` with exactly the columns of ``table``: constants filled in, missing ones null, others dropped."""
    return pl.DataFrame([_conformed(df, constants, name, dtype) for name, dtype in types(table).items()])


def _conformed(df: pl.DataFrame, constants: Mapping[str, Any], name: str, dtype: Any) -> pl.Series:
    """One column of ``conform``: no expressions, for parts of a large file pass here by the thousand, and each costs a plan."""
    if name in constants:
        return pl.Series(name, [constants[name]], dtype=dtype).new_from_index(0, df.height)
    if name in df.columns:
        column = df.get_column(name)
        return column if column.dtype == dtype else column.cast(dtype)
    return pl.Series(name, [], dtype=dtype).clear(df.height)


@dataclass(frozen=True)
class _Exported:
    """An Arrow array that shows nothing but Arrow's own interface to other libraries."""

    array: Any

    def __arrow_c_array__(self, schema: Any = None) -> Any:
        return self.array.__arrow_c_array__(schema)


def taken_over(array: Any) -> pl.Series:
    """An Arrow array as a series, without a copy.

    ``pl.from_arrow`` imports all of pyarrow.compute first, which takes longer than most logs do.
    """
    return pl.Series(_Exported(array))
