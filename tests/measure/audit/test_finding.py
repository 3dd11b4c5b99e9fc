"""What an audit is made of."""

import pytest
from pydantic import ValidationError

from fakeinstruct.measure.audit.finding import Audit, Finding, Section


def audit(*levels):
    sections = tuple(
        Section(name=f"s{n}", summary="", findings=(Finding(level=level, title=level, detail=""),))
        for n, level in enumerate(levels)
    )
    return Audit(kind="pairs", source="x", n=1, seed=0, sections=sections, versions={})


def test_findings_come_worst_first_and_otherwise_in_the_order_of_sections():
    found = audit("note", "warning", "problem", "warning")
    order = [(finding.level, section.name) for section, finding in found.findings()]
    assert order == [("problem", "s2"), ("warning", "s1"), ("warning", "s3"), ("note", "s0")]
    assert [found.count(level) for level in ("problem", "warning", "note")] == [1, 2, 1]


def test_an_audit_survives_json():
    found = audit("note")
    assert Audit.model_validate_json(found.model_dump_json()) == found


def test_an_unknown_level_is_refused():
    with pytest.raises(ValidationError):
        Finding(level="disaster", title="", detail="")
