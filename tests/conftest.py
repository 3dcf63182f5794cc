"""What several test modules share: the sample incidents, and each one's History, replayed once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zabtrace.replay.history import History

SAMPLES = Path(__file__).parent.parent / "sample_logs"


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the sample incidents."""
    return SAMPLES


@pytest.fixture(scope="session")
def history_of() -> "Callable[[str], History]":
    """The History of a sample incident by its folder's name, built when first asked for."""
    from zabtrace.evidence import gather
    from zabtrace.replay import replay

    return cache(lambda name: replay(gather([str(SAMPLES / name)])))
