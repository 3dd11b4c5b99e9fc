"""The worked example of docs/formats.md does what it says."""

import json
import re
import types
from pathlib import Path

import pytest
from published import pictures, problems, take, write

from fakeinstruct.chains.importers import IMPORTERS

DOCS = Path(__file__).parents[2] / "docs/formats.md"


@pytest.fixture
def spots(monkeypatch):
    """The importer of the document, registered."""
    text = DOCS.read_text(encoding="utf-8")
    code = re.search(r"```python\n(# fakeinstruct/chains/importers/spots\.py\n.*?)```", text, re.DOTALL)[1]
    module = types.ModuleType("fakeinstruct.chains.importers.spots")
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    exec(compile(code, "spots.py", "exec"), module.__dict__)
    monkeypatch.setitem(IMPORTERS, "spots", module.import_spots)
    return re.search(r"```json\n(.\"file\".*?)```", text, re.DOTALL)[1]


def test_the_example_imports_its_records_and_rejects_bad_ones(spots, tmp_path):
    pictures(tmp_path, "img/1.png", "img/2.png", size=(80, 50))
    bad = {"file": "img/2.png", "made_by": None, "remark": "odd", "at": None}
    off = {"file": "img/1.png", "made_by": "flux", "remark": "odd", "at": [0, 0, 99, 9]}
    file = write(tmp_path / "spots_train.jsonl", f"{spots}{json.dumps(bad)}\n{json.dumps(off)}\n[]\n")
    chains, rejects, _, _ = take("spots", file, tmp_path / "out", validation=0.0)
    fake, real = chains["img/1.png"], chains["img/2.png"]
    assert (fake.label, fake.generator, fake.split, real.label) == ("fake", "flux", "train", "real")
    assert fake.traces[0].regions[0].box == (0.25, 0.2, 0.75, 0.8)
    assert fake.traces[0].observation == "The hand has six fingers."
    assert list(problems(rejects)) == ["3", "4", "5"]


def test_every_format_has_a_section():
    text = DOCS.read_text(encoding="utf-8")
    for name in IMPORTERS:
        assert f"\n## {name}\n" in text, name
        assert f"\n| `{name}` |" in text, name
