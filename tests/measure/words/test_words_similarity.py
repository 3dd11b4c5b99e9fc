"""Similarity by a real, untrained encoder on disk: padding, pooling, and what is refused."""

import json

import numpy as np
import pytest
from small_encoder import WORDS, write_encoder

from fakeinstruct.base.errors import UsageError
from fakeinstruct.measure.words.similarity import Encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def test_the_nearest_reference_counts(folder):
    encoder = Encoder(folder)
    text, other = "the left hand has six fingers", "a light falls"
    found = encoder.similarity([(text, [other, text]), (text, [other]), (other, [text]), (text, [])])
    assert found[0] == pytest.approx(1)
    assert found[1] == pytest.approx(found[2])
    assert found[1] < 0.99
    assert np.isnan(found[3])


def test_a_text_is_encoded_once(folder, monkeypatch):
    encoder, asked = Encoder(folder), []
    encode = encoder._encode
    monkeypatch.setattr(encoder, "_encode", lambda texts: asked.extend(texts) or encode(texts))
    pairs = [("the hand", ["a light falls"]), ("a light falls", ["the hand"])]
    first = encoder.similarity(pairs)
    assert encoder.similarity([*pairs, ("fingers", ["the hand"])])[:2].tolist() == first.tolist()
    assert sorted(asked) == ["a light falls", "fingers", "the hand"]


def test_padding_does_not_count(folder):
    encoder = Encoder(folder)
    texts = ["a light", " ".join(WORDS), "the hand"]
    alone = np.concatenate([encoder.vectors([text]) for text in texts])
    np.testing.assert_allclose(encoder.vectors(texts), alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-6)
    assert encoder.vectors([" ".join(WORDS * 50)]).shape == (1, 32)  # longer than its positions


def test_the_first_token_where_the_folder_says_so(folder, tmp_path):
    import shutil

    other = tmp_path / "first"
    shutil.copytree(folder, other)
    (other / "1_Pooling").mkdir()
    (other / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    one, two = Encoder(folder).vectors(["the hand"]), Encoder(other).vectors(["the hand"])
    assert not np.allclose(one, two, atol=1e-3)
    assert Encoder(other).json() == {"name": "first", "sha256": Encoder(folder).json()["sha256"]}


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no config\.json"):
        Encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="cannot be loaded"):
        Encoder(tmp_path)
