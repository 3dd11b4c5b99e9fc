"""What the documentation names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_catches_a_trap_is_there():
    named = re.findall(
        r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/traps.md").read_text(encoding="utf-8")
    )
    assert len(named) > 30
    lacking = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert not lacking
