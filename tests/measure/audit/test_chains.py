"""The whole audit of a chain set."""

import json

import pytest

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.measure.audit.chains import chains_audit
from fakeinstruct.measure.audit.finding import Audit

from .looked import chain, chain_set, patches

SECTIONS = ["File names and headers", "Duplicates", "Balance", "Names of sources", "Texts", "Image files"]


def test_names_and_encodings_of_the_sample_tell_nothing(tmp_path):
    make_sample(tmp_path / "sample", images=160, seed=0)
    found = chains_audit(open_chains(tmp_path / "sample"))
    assert [section.name for section in found.sections] == SECTIONS
    by_name = {section.name: section for section in found.sections}
    assert by_name["File names and headers"].findings == ()
    assert by_name["File names and headers"].skipped is None
    assert by_name["Duplicates"].findings == by_name["Image files"].findings == ()
    assert found.count("problem") == 0
    assert Audit.model_validate_json(found.model_dump_json()) == found
    assert str(tmp_path) not in found.model_dump_json()
    assert found == chains_audit(open_chains(tmp_path / "sample"))


def test_bad_records_are_a_finding_and_not_the_end(tmp_path):
    for number in range(4):
        patches(number).save(tmp_path / f"{number}.png")
    chains = chain_set(tmp_path, [chain(number) for number in range(4)])
    with chains.file.open("a") as file:
        file.write(json.dumps({"id": "x", "label": 1}) + "\nnot json\n")
    found = chains_audit(chains)
    assert found.n == 4
    assert any("2 records are no sound chains" in finding.title for _, finding in found.findings())


def test_a_limit_bounds_what_is_opened_and_not_what_is_counted(tmp_path):
    for number in range(30):
        patches(number).save(tmp_path / f"{number}.png")
    found = chains_audit(chain_set(tmp_path, [chain(number) for number in range(30)]), limit=10)
    assert found.n == 10
    by_name = {section.name: section.summary for section in found.sections}
    assert by_name["Image files"] == "10 of 10 image files were read and decoded."
    assert by_name["Balance"] == "30 chains: 15 fake, 15 real."


def test_a_set_without_a_sound_chain_has_no_audit(tmp_path):
    chains = chain_set(tmp_path, [])
    with pytest.raises(FakeInstructError, match="no sound chain"):
        chains_audit(chains)
