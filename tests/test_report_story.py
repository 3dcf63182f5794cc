"""What happened, sentence by sentence: each says what was known at its time, in the order of cause, and names its lines."""

from dataclasses import replace
from typing import Any

import incident
import polars as pl

from zabtrace import schema
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History
from zabtrace.report import facts, story

LOSS = {"what": "lost its leader", "cause": "Server 3 was paused"}


def told(history: History, noticed: story.Noticed | None = None) -> list[str]:
    return [row["what"] for row in story.happened(history, noticed=noticed)]


def placed(history: History, words: str) -> list[str]:
    return next(row["places"] for row in story.happened(history) if words in row["what"])


def noticed() -> story.Noticed:
    """Server 3 falls silent; 1 and 2 lose it, then it notices that it lost 2, and stops leading."""
    rows = [(4.5, 1, 3), (4.6, 2, 3), (4.8, 3, 2), (4.9, 3, 3)]
    losses = [
        {
            "time": incident.at(second),
            "server": server,
            "lost": lost,
            **LOSS,
            "evidence": [{"source": f"s{server}.log", "line": 7, "says": "x"}],
        }
        for second, server, lost in rows
    ]
    pause = {"server": 3, "start": incident.at(1), "end": incident.at(4.7), "source": "s3.log", "line": 6}
    return story.Noticed(schema.frame(schema.LOSSES, losses), schema.frame(schema.PAUSES, [pause]))


def test_a_leader_falls_silent_is_lost_and_another_is_elected_in_this_order() -> None:
    sentences = told(incident.history(), noticed())
    silent = next(n for n, text in enumerate(sentences) if text.startswith("Server 3 falls silent for 3.7 s"))
    assert sentences[silent + 1 : silent + 3] == [
        "Servers 1 and 2 lose their leader, server 3. Server 3 was paused.",
        "Server 3 loses server 2.",
    ]
    assert "2 wins by server id" in " ".join(sentences[silent + 3 :])
    assert not any("loses server 3" in text for text in sentences), "its own role has a sentence of its own"


def test_the_places_of_all_who_lost_it_stand_beside_the_sentence() -> None:
    rows = story.happened(incident.history(), noticed=noticed())
    assert next(row["places"] for row in rows if "lose their leader, server 3" in row["what"]) == ["s1.log:7", "s2.log:7"]


def test_an_election_is_told_before_the_epoch_of_its_leader_though_a_follower_decided_later(history_of: Any) -> None:
    sentences = told(history_of("truncated-3.8.0"))
    for leader, epoch in ((3, 1), (2, 2)):
        won = next(n for n, text in enumerate(sentences) if f"{leader} wins" in text)
        assert won < next(n for n, text in enumerate(sentences) if text.startswith(f"Epoch {epoch} begins"))


def test_an_epoch_does_not_begin_with_followers_that_are_not_there_yet(history_of: Any) -> None:
    sentences = told(history_of("truncated-3.8.0"))
    assert "Epoch 2 begins under server 2. Servers 1 and 3 follow it, then or later." in sentences  # 3 starts behind it


def test_a_log_that_ends_while_its_server_leads_is_no_end_of_the_epoch(history_of: Any) -> None:
    sentences = told(history_of("truncated-3.8.0"))
    assert "The log of server 2 ends while it leads epoch 2." in sentences
    assert not any(text.startswith("Epoch 2 of server 2 ends") for text in sentences)
    assert any(text.startswith("Epoch 1 of server 3 ends here or later:") for text in sentences)


def test_last_lines_and_outages_name_the_lines_that_show_them(history_of: Any) -> None:
    history = history_of("truncated-3.8.0")
    lines = history.trace.lines
    for row in history.processes.iter_rows(named=True):
        own = lines.filter((pl.col("server") == row["server"]) & (pl.col("time") <= row["end"])).sort("order", "line").row(-1, named=True)
        assert f"{own['source']}:{own['line']}" in [place for at in story.happened(history) for place in at["places"]]
    (out,) = history.unavailable
    assert placed(history, "no write is possible") == [f"{out.source}:{out.line}"]


def test_an_outage_that_has_no_end_is_told_as_such() -> None:
    history = incident.history()
    open_ended = replace(history, unavailable=tuple(replace(out, end=None) for out in history.unavailable))
    assert any("from here on, to the end of what was read" in text for text in told(open_ended))


def judged(*spans: tuple[str, int, int | None]) -> Judgement:
    rows = [{"fate": fate, "server": 1, "from": low, "to": high, "committed": "no"} for fate, low, high in spans]
    return replace(incident.judgement(), ranges=schema.frame(schema.RANGES, rows))


def test_what_only_text_tells_is_counted_once_and_without_what_was_read() -> None:
    # two servers were cut over 0x..07 to 0x..0c, of which the records of 07 and 08 were read
    given = judged(("truncated", 0x100000007, 0x10000000A), ("truncated", 0x100000009, 0x10000000C), ("lost", 0x100000020, None))
    assert given.from_text == {"lost": 1, "truncated": 4}
    assert facts.counted(given)["truncated"] == given.counts["truncated"] + 4
    assert facts.from_text(given) == "Known from text only, no record of them was read: 1 lost, 4 truncated."


def test_nothing_is_said_of_text_where_every_record_was_read() -> None:
    assert facts.from_text(judged(("truncated", 0x100000007, 0x100000008))) is None


def looking(*logs: int) -> History:
    """Three voters, of which these were read, and found no leader."""
    roles = [{"server": one, "process": 1, "role": "LOOKING", "start": incident.at(1), "end": incident.at(9)} for one in logs]
    return replace(incident.history(), roles=schema.frame(schema.ROLES, roles), unavailable=())


def test_an_ensemble_that_never_had_a_leader_is_not_called_available() -> None:
    (told,) = facts.outages(looking(1, 2))
    assert told == "No leader was ever established in the logs that were read: no write was possible while 1, 2 were looking for one."


def test_voters_of_which_nothing_was_read_may_have_had_a_leader() -> None:
    assert facts.outages(looking(1)) == []


def test_whoever_served_in_an_epoch_had_a_leader() -> None:
    history = looking(1, 2)
    assert facts.outages(replace(history, roles=history.roles.with_columns(served=pl.col("start")))) == []
