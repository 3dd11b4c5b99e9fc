import pytest

from fakeinstruct.base.json_text import check_text, is_text, may_hold_halves, parse_json, parse_record


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"label": "real", "label": "fake"}', "'label' comes twice"),
        ('{"a": [{"b": 1, "b": 1}]}', "'b' comes twice"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[1e999]", "no finite number"),
        ('["\\ud800"]', "half a character"),
        ('{"\\uDC80": 1}', "half a character"),
        ("[1,]", "Illegal trailing comma|Expecting value"),
    ],
)
def test_what_no_data_holds_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_record(text)


def test_a_pair_of_surrogates_is_a_character_and_a_half_is_left_to_the_record():
    assert parse_record('["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]
    halves = parse_json('[["fine"], ["\\ud83d"]]')
    check_text(halves[0])
    with pytest.raises(ValueError, match="half a character"):
        check_text(halves[1])


def test_only_escapes_can_be_halves():
    assert may_hold_halves('"\\uDbff"')
    assert not may_hold_halves('"\\u00e9 ud800"')
    assert is_text("é\x1b")
    assert not is_text("caf\udce9")
