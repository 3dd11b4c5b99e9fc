"""Where an image's tokens lie in the picture, against what the models themselves see there."""

import re

import pytest
import torch
from PIL import Image
from published_layout import LAYOUTS, write_published
from tiny import IMAGE

from fakeinstruct.expert.families import FAMILIES, family_of
from fakeinstruct.expert.image_tensors import TOKENS
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.rows import image_block
from fakeinstruct.expert.token_boxes import grid

PICTURES = ((60, 60), (120, 40), (56, 112))
SPOTS = ((0.5, 0.5), (0.36, 0.85), (0.62, 0.12))


def features(model, block) -> torch.Tensor:
    """The features of each image token, in order."""
    tensors = {name: value for name, value in block.items() if name not in (*TOKENS, "input_ids")}
    with torch.no_grad():
        pieces = model.get_image_features(**tensors).pooler_output
    return torch.cat([piece.reshape(-1, piece.shape[-1]) for piece in pieces])


def picture(size: tuple[int, int], spot: tuple[float, float] | None = None) -> Image.Image:
    """A grey picture, with a light spot at a place in fractions."""
    image = Image.new("RGB", size, (90, 100, 110))
    if spot:
        x, y = round(spot[0] * size[0]), round(spot[1] * size[1])
        image.paste((255, 250, 240), (x - 1, y - 1, x + 2, y + 2))
    return image


def without_mixing(model):
    """The model with a tower whose patches do not see each other: a feature then shows its own pixels alone."""
    for name, weight in model.get_submodule("model").named_parameters():
        if name.startswith("vis") and re.search(r"(attn\.proj|out_proj|projection_layer)\.weight$", name):
            torch.nn.init.zeros_(weight)
    return model.eval()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_spot_changes_the_tokens_that_lie_on_it_and_no_others(name, tmp_path):
    model = without_mixing(write_published(name, tmp_path))
    processor = load_processor(tmp_path)
    places = family_of(model.config).token_boxes
    for size in PICTURES:
        plain = image_block(processor, picture(size))
        boxes = places(processor, plain, size)
        assert boxes.shape == (len(plain["input_ids"]), 4)
        ids = torch.tensor(plain["input_ids"])
        assert boxes[ids != IMAGE].isnan().all()
        own = boxes[ids == IMAGE]
        for spot in SPOTS:
            seen = features(model, image_block(processor, picture(size, spot)))
            changed = own[(seen - features(model, plain)).norm(dim=1) > 1e-3]
            x, y = torch.tensor(spot)
            margin = 6 / torch.tensor(size)  # the spot, and what resizing spreads
            across = (changed[:, 0] - margin[0] <= x) & (x <= changed[:, 2] + margin[0])
            down = (changed[:, 1] - margin[1] <= y) & (y <= changed[:, 3] + margin[1])
            assert (across & down).all(), (size, spot, changed)
            inside = (own[:, 0] <= x) & (x <= own[:, 2]) & (own[:, 1] <= y) & (y <= own[:, 3])
            assert bool(len(changed)) == bool(inside.any()), (size, spot)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_tokens_cover_the_picture_that_is_shown(name, tmp_path):
    write_published(name, tmp_path)
    processor = load_processor(tmp_path)
    family = FAMILIES[name]
    for size in PICTURES:
        boxes = family.token_boxes(processor, image_block(processor, picture(size)), size)
        places = boxes[~boxes.isnan().any(1)]
        assert (places[:, :2] < places[:, 2:]).all()
        assert ((places >= 0) & (places <= 1)).all()
        area = ((places[:, 2] - places[:, 0]) * (places[:, 3] - places[:, 1])).sum()
        if name == "llava":  # which cuts the middle out
            assert area == pytest.approx(min(size) / max(size), rel=0.02)
        else:
            views = 1 if "qwen" in name or round(float(area)) == 1 else 2
            # LLaVA-Next drops what is padding in part: up to a row of tokens above and below
            assert area == pytest.approx(views, rel=0.13 if name == "llava_next" else 0.03)


def test_a_grid_row_by_row():
    assert grid(1, 2).tolist() == [[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]
    assert grid(2, 1, (0.5, 0.0, 1.0, 0.5)).tolist() == [[0.5, 0.0, 1.0, 0.25], [0.5, 0.25, 1.0, 0.5]]


def test_what_lies_beyond_the_picture_is_cut_or_nowhere():
    cells = grid(1, 4, (-1.0, 0.0, 1.0, 1.0))
    assert cells[:2].isnan().all()
    assert cells[2:].tolist() == [[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]
