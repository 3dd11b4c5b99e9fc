"""A packed row is its pairs: the loss and every gradient, in every family."""

import dataclasses
import random
from collections.abc import Sequence

import pytest
import torch
from PIL import Image
from published_layout import write_published
from tiny import BOS, END, EOS, EXACT, IMAGE, START, WORDS, Tiny, tiny_llava, tiny_qwen2_5_vl, tiny_small
from torch import Tensor
from torch.nn.functional import cross_entropy

from fakeinstruct.expert import attention, tree
from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.collate import Collator, PackCollator
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.packing import Conversation, Packed, Packer, model_positions
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.sft import IGNORE
from fakeinstruct.expert.tree import Layout, Tree

TOLERANCE = 1e-5
"""Largest difference of a gradient, as a share of its norm; float32 rounds to 6e-8, a hundred times over."""

NOTHING = "k_proj.bias"
"""In a vision tower without rotary positions the keys' bias moves all scores of a query alike, which softmax does not
see. Its gradient is zero in theory and rounding in practice, and is measured against that of the queries' bias."""

Images = list[dict[str, Tensor]]


class Sample:
    """Two images: one with a pair of one turn, one of two turns and one with a second look; one with two pairs."""

    def __init__(self, tiny: Tiny) -> None:
        self.image_token = tiny.image_token
        blocks = [tiny.image(seed) for seed in range(3)]
        self.images: Images = [{k: v for k, v in block.items() if k != "input_ids"} for block in blocks]
        self.blocks = [block["input_ids"] for block in blocks]
        self.groups = [
            [
                self.pair(0, [(9, 2)], seed=1),
                self.pair(0, [(3, 5), (4, 1)], seed=2),
                self.pair(0, [(5, 3), (2, 4)], seed=3, crop=2),
            ],
            [self.pair(1, [(4, 1)], seed=4), self.pair(1, [(8, 12)], seed=5)],
        ]

    def pair(
        self, image: int, turns: Sequence[tuple[int, int]], *, seed: int, crop: int | None = None
    ) -> Conversation:
        """A pair with turns of so many question and answer tokens; the second may show a crop first."""
        draw = random.Random(seed)
        ids, labels = [BOS], [IGNORE]
        blocks = []
        for turn, (question, answer) in enumerate(turns):
            shown = image if turn == 0 else crop
            asked = [] if shown is None else [START, *self.blocks[shown], END]
            if shown is not None:
                blocks.append((len(ids) + 1, len(ids) + 1 + len(self.blocks[shown])))
            asked += draw.choices(WORDS, k=question)
            said = [*draw.choices(WORDS, k=answer), EOS]
            ids += asked + said
            labels += [IGNORE] * len(asked) + said
        return Conversation(ids, labels, tuple(blocks), (image,) if crop is None else (image, crop))

    @property
    def pairs(self) -> list[Conversation]:
        return [pair for group in self.groups for pair in group]

    def shown(self) -> Images:
        """The images in the order of their tokens in the packed row."""
        numbers = []
        for group in self.groups:
            numbers += [group[0].images[0], *(number for pair in group for number in pair.images[1:])]
        return [self.images[number] for number in numbers]

    def pack(self, model) -> Packed:
        return Packer(model_positions(model, self.image_token)).pack(self.groups, self.images)


def set_attention(model, name: str) -> None:
    model.config.get_text_config()._attn_implementation = name


def packed_loss(model, sample: Sample, packed: Packed, **layout) -> Tensor:
    """The summed loss of a packed row."""
    joined = family_of(model.config).join(sample.shown())
    output = model(
        input_ids=packed.input_ids,
        position_ids=packed.position_ids,
        logits_to_keep=packed.targets.places,
        use_cache=False,
        **joined,
        **layout,
    )
    return cross_entropy(output.logits[0], packed.targets.ids, reduction="sum")


def alone_loss(model, sample: Sample, pair: Conversation) -> Tensor:
    """The summed loss of a pair alone, as stock Transformers computes it."""
    ids, labels = torch.tensor([pair.input_ids]), torch.tensor([pair.labels])
    kinds = {}
    if "qwen" in model.config.model_type:
        kinds["mm_token_type_ids"] = (ids == sample.image_token).int()
    joined = family_of(model.config).join([sample.images[number] for number in pair.images])
    output = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **joined, **kinds)
    return cross_entropy(output.logits[0, :-1], labels[0, 1:], reduction="sum", ignore_index=IGNORE)


def gradients(model) -> dict[str, Tensor]:
    """Every gradient, by name; the model's are cleared."""
    found = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    model.zero_grad()
    return found


def train_alone(model, sample: Sample) -> tuple[float, dict[str, Tensor]]:
    set_attention(model, "sdpa")
    total = 0.0
    for pair in sample.pairs:
        loss = alone_loss(model, sample, pair)
        loss.backward()
        total += loss.item()
    return total, gradients(model)


def train_packed(model, sample: Sample, packed: Packed | None = None) -> tuple[float, dict[str, Tensor]]:
    packed = packed or sample.pack(model)
    use_tree_attention(model)
    loss = packed_loss(model, sample, packed, tree=packed.layout)
    loss.backward()
    return loss.item(), gradients(model)


def train_dense(model, sample: Sample) -> tuple[float, dict[str, Tensor]]:
    """The reference implementation: stock attention with the whole mask."""
    packed = sample.pack(model)
    set_attention(model, "sdpa")
    loss = packed_loss(model, sample, packed, attention_mask=packed.layout.dense_mask()[None, None])
    loss.backward()
    return loss.item(), gradients(model)


def difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> tuple[float, str]:
    """The largest difference of a gradient, as a share of its norm, and whose it is."""
    assert found.keys() == expected.keys()
    assert expected
    shares = []
    for name, gradient in expected.items():
        size = gradient
        if name.endswith(NOTHING) and "vision" in name:
            size = expected[name.replace("k_proj", "q_proj")]
            assert gradient.norm() < TOLERANCE * size.norm()
        shares.append(((found[name] - gradient).norm().item() / size.norm().item(), name))
    return max(shares)


def ready(tiny: Tiny):
    """The model in training mode, its batch normalisation frozen: its statistics are the only ones of a row."""
    model = tiny.model.train()
    for name, weight in model.named_parameters():
        weight.requires_grad_(
            "blocks" not in name or model.config.vision_config.model_type != "fakeinstruct_conv"
        )
    return model


@pytest.mark.parametrize("name", EXACT)
def test_a_packed_row_learns_what_its_pairs_learn_alone(name):
    tiny = EXACT[name]()
    model, sample = ready(tiny), Sample(tiny)
    loss, found = train_packed(model, sample)
    alone, expected = train_alone(model, sample)
    worst, whose = difference(found, expected)
    print(f"{name}: loss {alone:.6f} to {abs(loss - alone) / alone:.1e}, gradients to {worst:.1e} ({whose})")
    assert loss == pytest.approx(alone, rel=1e-6)
    assert worst < TOLERANCE, whose
    parts = {family_of(model.config).part_of(weight) for weight in expected}
    assert parts == {"vision_tower", "projector", "language_model"}


@pytest.mark.parametrize("name", EXACT)
def test_the_function_attends_as_the_dense_mask_does(name):
    tiny = EXACT[name]()
    model, sample = ready(tiny), Sample(tiny)
    loss, found = train_packed(model, sample)
    dense, expected = train_dense(model, sample)
    assert loss == pytest.approx(dense, rel=1e-6)
    assert difference(found, expected)[0] < TOLERANCE


def test_batch_normalisation_in_training_sees_the_company_of_an_image():
    """The one exception, of the built-in tower alone: frozen, it keeps to what it has seen."""
    tiny = tiny_small()
    sample = Sample(tiny)
    loss, _ = train_packed(tiny.model.train(), sample)
    alone, _ = train_alone(tiny.model, sample)
    assert abs(loss - alone) / alone > 1e-4


def with_adapters(tiny: Tiny):
    """Adapters on the language model alone, none of them zero, without dropout."""
    from peft import LoraConfig, get_peft_model

    layers = family_of(tiny.model.config).linear_layers(tiny.model, ("language_model",))
    config = LoraConfig(r=4, target_modules=layers, lora_dropout=0.0, init_lora_weights=False)
    return get_peft_model(tiny.model.train(), config)


@pytest.mark.parametrize("make", [tiny_llava, tiny_qwen2_5_vl])
@pytest.mark.parametrize("adapters", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointing"])
@pytest.mark.parametrize("keys", [None, 40], ids=["whole", "chunks"])
def test_so_it_does_with_adapters_checkpointing_and_chunks(make, adapters, checkpointing, keys, monkeypatch):
    tiny = make()
    model = with_adapters(tiny) if adapters else tiny.model.train()
    sample = Sample(tiny)
    alone, expected = train_alone(model, sample)
    if keys:  # fewer than any two branches need: each is a chunk, whose attention is computed again
        monkeypatch.setattr(tree, "KEYS", keys)
        monkeypatch.setattr(attention, "BYTES", 0)
    if checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    packed = sample.pack(model)
    assert len(packed.layout.chunks) == (5 if keys else 4)
    loss, found = train_packed(model, sample, packed)
    assert loss == pytest.approx(alone, rel=1e-6)
    assert difference(found, expected)[0] < TOLERANCE
    assert all("lora" in name for name in found) == adapters


@pytest.mark.parametrize("name", EXACT)
def test_the_comparison_would_notice_a_leak_or_a_wrong_position(name):
    tiny = EXACT[name]()
    model, sample = ready(tiny), Sample(tiny)
    packed = sample.pack(model)
    use_tree_attention(model)
    with torch.no_grad():
        right = packed_loss(model, sample, packed, tree=packed.layout).item()
        first, second = packed.layout.trees
        leaking = Layout((first, Tree(second.prefix, (sum(second.branches),))))
        leaked = packed_loss(model, sample, packed, tree=leaking).item()
        count = packed.input_ids.shape[1]
        running = dataclasses.replace(
            packed, position_ids=torch.arange(count).expand_as(packed.position_ids).contiguous()
        )
        shifted = packed_loss(model, sample, running, tree=packed.layout).item()
    assert abs(leaked - right) / right > 1e-4
    assert abs(shifted - right) / right > 1e-4


class Alike(Sample):
    """Questions that begin alike, one the beginning of another, and one that two answers follow."""

    def __init__(self, tiny: Tiny) -> None:
        super().__init__(tiny)
        words = list(WORDS)
        self.groups = [
            [
                self.said(words[:6], words[10:13]),
                self.said(words[:6], words[12:14]),
                self.said(words[:4], words[4:9]),
                self.said([*words[:5], words[30]], words[:1]),
            ],
            [self.said(words[:1], words[3:5]), self.said(words[:1], words[3:6])],
        ]

    def said(self, question: list[int], answer: list[int]) -> Conversation:
        start = [BOS, START, *self.blocks[0], END, *question]
        answer = [*answer, EOS]
        blocks = ((2, 2 + len(self.blocks[0])),)
        return Conversation(start + answer, [IGNORE] * len(start) + answer, blocks)


@pytest.mark.parametrize("make", [tiny_llava, tiny_qwen2_5_vl])
def test_questions_that_begin_alike_share_more_than_the_image(make):
    tiny = make()
    model, sample = tiny.model.train(), Alike(tiny)
    packed = sample.pack(model)
    image = 3 + len(sample.blocks[0])  # and its start, its end and the row's first token
    assert [single.prefix for single in packed.layout.trees] == [image + 3, image]
    loss, found = train_packed(model, sample, packed)
    alone, expected = train_alone(model, sample)
    assert loss == pytest.approx(alone, rel=1e-6)
    assert difference(found, expected)[0] < TOLERANCE


def predicted(model, batch: dict) -> float:
    """The summed loss of a batch that a collator made."""
    inputs = {name: value for name, value in batch.items() if name not in ("targets", "image_keys")}
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits
    targets = batch["targets"]
    return cross_entropy(targets.logits(logits), targets.ids, reduction="sum").item()


@pytest.mark.parametrize("name", sorted(set(EXACT) - {"small"}))
def test_from_pictures_on_disk_to_the_loss(name, tmp_path):
    """Both collators and the family's own processor: two pictures, five pairs, one with a crop as its second look."""
    model = write_published(name, tmp_path).eval()
    family, processor = family_of(model.config), load_processor(tmp_path)
    rows = []
    for picture, pairs in ((0, 3), (1, 2)):
        Image.effect_noise((60 + 40 * picture, 50), 60).convert("RGB").save(tmp_path / f"{picture}.png")
        for pair in range(pairs):
            words, crops = [30 + pair, 31, 50, 51 + pair], []
            ids, labels = [BOS, IMAGE, *words, EOS], [*[IGNORE] * 4, *words[2:], EOS]
            if pair == 2:
                ids, labels = [*ids, IMAGE, 60, 61], [*labels, IGNORE, IGNORE, 61]
                crops = [[0.1, 0.1, 0.9, 0.5]]
            rows.append(
                {"image": f"{picture}.png", "crops": crops, "input_ids": ids, "labels": labels}
                | {"id": f"{picture}{pair}", "task": "", "tree": picture}
            )
    positions = model_positions(model, processor.image_token_id)
    set_attention(model, "sdpa")
    alone = Collator(processor, tmp_path, join=family.join)
    expected = sum(predicted(model, alone([row])) for row in rows)
    use_tree_attention(model)
    packed = PackCollator(processor, tmp_path, positions=positions, join=family.join)(rows)
    assert [len(single.branches) for single in packed["tree"].trees] == [3, 2]
    assert predicted(model, packed) == pytest.approx(expected, rel=1e-6)
