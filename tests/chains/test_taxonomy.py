import json
import re

import pytest
import yaml

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy

FAKEBENCH = [  # arXiv 2404.13306, in the order of its questions Q1 to Q14
    "texture",
    "edge",
    "clarity",
    "light_shadow",
    "layout",
    "symmetry",
    "reflection",
    "perspective",
    "shape",
    "theme",
    "content_deficiency",
    "distortion",
    "unrealistic",
    "overall_tone",
]

attributes = load_taxonomy().attributes


def test_the_attributes_are_fakebench_s_in_order_then_ours():
    assert list(attributes) == [*FAKEBENCH, "anatomy", "text"]


@pytest.mark.parametrize("key", attributes)
def test_entries_keep_the_convention_that_templates_rely_on(key):
    attribute = attributes[key]
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", attribute.name)
    sentences = [attribute.definition, attribute.betrays, attribute.clean, *attribute.advice]
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z][^.\n]*[a-z]\.", sentence), sentence
        assert "  " not in sentence
    assert 4 <= len(attribute.advice) <= 6
    assert len(set(attribute.advice)) == len(attribute.advice)


def test_no_advice_is_given_for_two_attributes():
    bank = [sentence for attribute in attributes.values() for sentence in attribute.advice]
    assert len(set(bank)) == len(bank)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Semantic Irrationality", "unrealistic"),
        ("Inconsistent Lighting and Shadows", "light_shadow"),
        ("Irregular Image Edges", "edge"),
        ("Anomalous Image Texture", "texture"),
        ("Low Image Quality", "clarity"),
        ("light & shadow", "light_shadow"),
        ("light and shadow", "light_shadow"),
        ("edges", "edge"),
        ("unrealistic element", "unrealistic"),
        ("content deficiencies", "content_deficiency"),
        ("Overall-Tone", "overall_tone"),
        ("overall_tone", "overall_tone"),
        ("hands", "anatomy"),
        ("no such thing", None),
        ("", None),
    ],
)
def test_published_names_are_known(name, key):
    assert load_taxonomy().key(name) == key


def test_every_name_leads_back_to_its_own_attribute():
    for key, attribute in attributes.items():
        for name in (key, attribute.name, *attribute.aliases):
            assert load_taxonomy().key(name.upper()) == key


def entry(**changes):
    return {"name": "n", "definition": "D.", "betrays": "B.", "clean": "C.", "advice": ["A."], **changes}


def test_an_alias_of_two_attributes_is_refused():
    with pytest.raises(ValueError, match="'The Edge' names both a and b"):
        Taxonomy(
            version=1, attributes={"a": entry(name="the edge"), "b": entry(name="m", aliases=["The Edge"])}
        )


def test_a_user_s_own_taxonomy_replaces_ours(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"version": 1, "attributes": {"glow": entry()}}))
    own = load_taxonomy(path)
    own.check("glow", field="f")
    with pytest.raises(
        RecordError, match=r"field f: the taxonomy has no attribute 'texture'\. Known: glow\."
    ):
        own.check("texture", field="f")


def test_a_misspelt_key_in_a_taxonomy_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"version": 1, "attributes": {"glow": entry(advise=["A."])}}))
    with pytest.raises(UsageError, match=r"attributes\.glow\.advise: .*Did you mean 'advice'"):
        load_taxonomy(path)


@pytest.mark.parametrize(("name", "hint"), [("texure", "texture"), ("light & shadow", "light_shadow")])
def test_an_unknown_attribute_is_refused_with_a_hint(name, hint):
    with pytest.raises(RecordError, match=f"Did you mean '{hint}'"):
        load_taxonomy().check(name, field="traces.0.attribute")


def test_the_file_has_no_key_twice():
    """A key given twice would silently lose the first."""

    class Unique(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(set(keys)) == len(keys), keys
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Unique.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    yaml.load((surface("templates") / "taxonomy.yaml").read_text(encoding="utf-8"), Unique)
