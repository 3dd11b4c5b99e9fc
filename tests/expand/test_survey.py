import random

import numpy as np
import pytest
from conftest import make_chain, make_set, mixed

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.schema import Assessment, Label, Region
from fakeinstruct.expand import survey as module
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.survey import survey


def varied(count):
    """Chains that differ in whatever a template could ask for, many of their parts alike."""
    rng = random.Random(5)
    places = [(0.0, 0.0, 1.0, 1.0), (0.1, 0.1, 0.3, 0.3), (0.12, 0.1, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9)]
    chains = []
    for number in range(count):
        label = list(Label)[number % 2]
        base = make_chain(f"v{number:04d}", label, traces=rng.randint(0, 3), judged=rng.randint(0, 4), seed=9)
        traces = tuple(
            trace.model_copy(
                update={
                    "attribute": rng.choice(["edge", "texture", None]),
                    "inference": rng.choice([None, "so it is"]),
                    "advice": rng.choice([None, "mend it"]) if label is Label.FAKE else None,
                    "severity": rng.choice([None, "slight", "severe"]),
                    "points_to": rng.choice([label, label, *Label]),
                    "regions": tuple(Region(box=rng.choice(places)) for _ in range(rng.randint(0, 2))),
                }
            )
            for trace in base.traces
        )
        assessed = dict.fromkeys(
            rng.sample(["edge", "shape", "theme", "text", "clarity"], 3), Assessment.ABSENT
        )
        chains.append(base.model_copy(update={"traces": traces, "assessed": assessed}))
    return chains


def test_counting_alike_parts_once_is_counting_each(tmp_path, templates):
    """The remembered counts are those of every single chain."""
    chain_set = make_set(tmp_path, varied(250))
    supply = survey(chain_set, templates, Rejects())
    for number, chain in enumerate(chain_set.read()):
        facts = gather(chain, chain_set.taxonomy)
        wanted = {
            (template.id, topic): space.count
            for template in templates.templates
            for topic, space in spaces(template, facts).items()
        }
        mine = np.flatnonzero(supply.chain == number)
        found = {supply.strata[supply.stratum[at]]: int(supply.held[at]) for at in mine}
        assert found == {stratum: min(count, module.MOST_HELD) for stratum, count in wanted.items()}, chain


def test_what_is_remembered_is_bounded(tmp_path, templates, monkeypatch):
    chain_set = make_set(tmp_path, mixed(40))
    whole = survey(chain_set, templates, Rejects())
    monkeypatch.setattr(module, "CASES_KEPT", 3)
    bounded = survey(chain_set, templates, Rejects())
    assert bounded.strata == whole.strata
    assert np.array_equal(bounded.held, whole.held)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_image_that_is_a_link_out_of_the_root_is_rejected_however_late(tmp_path, templates, kind):
    chains = [
        chain.model_copy(update={"image": chain.image.model_copy(update={"path": f"in/{chain.id}.png"})})
        for chain in mixed(6)
    ]
    outside = tmp_path / "outside"
    outside.mkdir()
    chain_set = make_set(tmp_path / "set", chains)
    folder = tmp_path / "set" / "images"
    if kind == "file":
        (folder / "in").mkdir()
        (folder / chains[4].image.path).symlink_to(outside / "x.png")
    else:
        (folder / "in").symlink_to(outside)
    rejects = Rejects()
    survey(chain_set, templates, rejects)
    wanted = [chains[4].id] if kind == "file" else [chain.id for chain in chains]
    assert [error.record for error in rejects.errors] == wanted
    assert {error.field for error in rejects.errors} == {"image.path"}
