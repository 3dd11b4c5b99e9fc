"""The Transformers tokenizer of the vocabulary tokenises as SentencePiece itself does."""

import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.expert.tokenizer import IMAGE_TOKEN, load_tokenizer, train_sentencepiece

TEXTS = [
    f"The {noun} in the {place} looks {how}."
    for noun in ("edge", "texture", "light", "shadow", "symmetry")
    for place in ("upper left", "centre", "lower right")
    for how in ("too smooth", "doubled", "as a lens draws it", "out of line: 3 pixels")
]


def both(tmp_path_factory):
    path = train_sentencepiece(
        TEXTS, tmp_path_factory.mktemp("vocabulary") / "tokenizer.model", vocab_size=600
    )
    return sentencepiece.SentencePieceProcessor(model_file=str(path)), load_tokenizer(path)


def test_both_agree_on_the_texts(tmp_path_factory):
    pieces, tokenizer = both(tmp_path_factory)
    for text in TEXTS:
        assert tokenizer.encode(text, add_special_tokens=False) == pieces.encode(text)


def test_both_agree_on_any_words(tmp_path_factory):
    pieces, tokenizer = both(tmp_path_factory)
    words = st.text(
        st.characters(codec="utf-8", exclude_characters="\0\n<>▁", exclude_categories=("Cc", "Cs", "Zs"))
    )

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.lists(words.filter(bool), min_size=1).map(" ".join))
    def agree(text):
        assert tokenizer.encode(text, add_special_tokens=False) == pieces.encode(text)

    agree()


def test_text_survives_the_round_trip(tmp_path_factory):
    _, tokenizer = both(tmp_path_factory)
    text = "Schärfe: 3 × zu glatt — sagt man."
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_the_image_token_is_one_token_wherever_it_stands(tmp_path_factory):
    _, tokenizer = both(tmp_path_factory)
    assert tokenizer.tokenize(f"edge {IMAGE_TOKEN}edge").count(IMAGE_TOKEN) == 1
