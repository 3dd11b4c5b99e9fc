"""What answers say, read back out of their words and held against the chain and the pair's target.

Nothing here looks at how a target is made: verdict words, letters, attribute names, boxes and tags are parsed out
of the text. The chains are a sample set's, some of them stripped to their label and some with tags.
"""

from __future__ import annotations

import re
from itertools import islice

import pytest

from fakeinstruct.base.grammar import find_boxes, parse_answer, thousandths
from fakeinstruct.chains.sample.make import make_sample
from fakeinstruct.chains.schema import Assessment, Chain, Label, Manipulation
from fakeinstruct.chains.store import open_chains
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import Pair, parse_pair
from fakeinstruct.expand.render import draw, render_variant, row_of
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import Template

PER_TOPIC = 2

NOTHING = re.compile(
    r"\b(?:no (?:flaw|sign|trace|place|such)|nothing|nowhere|free of|neither|nor|not the)\b",
    re.I,
)
SOMETHING = re.compile(
    r"\bsomething is wrong|\bgiven? (?:it|this|the picture|the image) away\b|\bthe trace lies\b", re.I
)


@pytest.fixture(scope="session")
def sampled(tmp_path_factory) -> list[Chain]:
    folder = tmp_path_factory.mktemp("sample") / "chains"
    make_sample(folder, images=24, seed=5)
    chains = list(open_chains(folder).read())
    bare = [
        chain.model_copy(update={"traces": (), "assessed": {}, "id": f"bare-{chain.id}"})
        for chain in chains[:6]
    ]
    unjudged = [
        chain.model_copy(update={"assessed": {}, "id": f"unjudged-{chain.id}"}) for chain in chains[6:12]
    ]
    tagged = [
        chain.model_copy(update={"tags": {"texture quality": "low", "object count": "two"}})
        for chain in chains[12:]
    ]
    return chains[:12] + bare + unjudged + tagged


@pytest.fixture(scope="session")
def said(sampled, templates, taxonomy) -> list[tuple[Chain, Template, Pair]]:
    found = []
    for chain in sampled:
        facts = gather(chain, taxonomy)
        for template in templates.templates:
            for topic, space in islice(spaces(template, facts).items(), 4):
                for drawn in islice(draw(template, facts, topic, space, 1), PER_TOPIC):
                    pair = parse_pair(row_of(render_variant(template, facts, drawn)))
                    found.append((chain, template, pair))
    return found


def answers(pair: Pair) -> list[str]:
    return [message.text() for message in pair.messages if message.role == "assistant"]


def own_words(text: str, chain: Chain, taxonomy: Taxonomy) -> str:
    """The text without tags and without what annotators and the taxonomy wrote."""
    text = re.sub(r"<tag>.*?</tag>", "", text)
    theirs = [t for trace in chain.traces for t in (trace.observation, trace.inference, trace.advice) if t]
    for attribute in taxonomy.attributes.values():
        theirs += [attribute.definition, attribute.betrays, attribute.clean, *attribute.advice]
    for words in sorted(theirs, key=len, reverse=True):
        rest = words.rstrip(".")[1:]  # whatever case its first letter was put in
        while (found := text.find(rest)) > 0:
            text = text[: found - 1] + "(...)" + text[found + len(rest) :].removeprefix(".")
    return text


def flawed_in(chain: Chain) -> set[str]:
    if chain.label is Label.REAL:
        return set()
    return {trace.attribute for trace in chain.traces if trace.points_to is Label.FAKE and trace.attribute}


def names_in(text: str, taxonomy: Taxonomy) -> set[str]:
    lower = text.lower()
    return {
        key
        for key, attribute in taxonomy.attributes.items()
        if attribute.name in lower and re.search(rf"\b{re.escape(attribute.name)}\b", lower)
    }


def wrong_verdicts(pair: Pair, chain: Chain, taxonomy: Taxonomy) -> list[str]:
    """Verdict words, yes and no, and what the image is called."""
    found = []
    other = "real" if chain.label is Label.FAKE else "fake"
    for text in answers(pair):
        own = own_words(text, chain, taxonomy)
        claims = re.findall(
            r"(?i)\b(?:is|it|verdict|result|judgement|image|picture|find it|makes it)\b[^.;\n]*", own
        )
        claims += re.findall(r"<verdict>.*?</verdict>", text)
        if pair.task == "verdict" and not pair.choices:
            claims.append(own)
        for claim in claims:
            claim = re.sub(r"(?i)\b(?:not|nor|neither|rather than) (?:a )?(?:fake|real)\b", "", claim)
            claim = re.sub(
                r"(?i)\bmay be fake\b|\bmake a fake\b|\ba good fake\b|\breal or fake\b|\bfake or real\b",
                "",
                claim,
            )
            if pair.task not in ("knowledge",) and re.search(rf"(?i)\b{other}\b", claim):
                found.append(f"says {other}: {claim}")
        if (
            re.search(r"(?i)\b(?:this|it|image|picture) is (?:already )?a photograph\b", own)
            and chain.label is not Label.REAL
        ):
            found.append("calls a fake a photograph")
        for words, manipulation in (("generated image", "generated"), ("edited photograph", "edited")):
            called = re.search(rf"(?:is|,) an? {words}", own)
            if called and chain.manipulation is not Manipulation(manipulation):
                found.append(f"calls it a {words}")
    if pair.polarity and not pair.choices:
        yes = re.match(r"(Yes|No)\b", answers(pair)[0])
        if yes and (yes.group() == "Yes") != (pair.polarity is chain.label):
            found.append("yes and no are swapped")
    if pair.target.verdict not in (None, chain.label):
        found.append("target says the other verdict")
    if pair.target.verdict is None and re.search(
        rf"<verdict>|(?i:the (?:image|picture) is {chain.label}\b)", answers(pair)[-1]
    ):
        found.append("a verdict that the target lacks")
    return found


def wrong_choices(pair: Pair, template: Template, chain: Chain, taxonomy: Taxonomy) -> list[str]:
    spec = template.front.options
    if spec is None or pair.choices is None:
        return [] if pair.target.choice is None else ["a letter without options"]
    letter = re.match(r"[A-H]\b", answers(pair)[-1])
    if letter is None or letter.group() != pair.target.choice:
        return ["the letter is not the target's"]
    right = pair.choices["ABCDEFGH".index(letter.group())]
    flawed = flawed_in(chain)
    listed = {key for text in pair.choices for key in names_in(text, taxonomy)}
    if spec.kind == "verdict":
        return [] if right == spec.texts[chain.label.value] else ["the letter is of the other label"]
    if spec.kind == "attribute":
        named = names_in(right, taxonomy) - names_in(spec.texts["none"], taxonomy)
        true = named <= flawed if named else not listed & flawed
        return [] if true else [f"{right!r} is not so"]
    first, second = (taxonomy.attributes[key].name for key in sorted(listed))
    worded = {
        kind: text.replace("{{ first }}", first).replace("{{ second }}", second)
        for kind, text in spec.texts.items()
    }
    one, other = (key in flawed for key in sorted(listed))
    kind = ("both" if other else "first") if one else ("second" if other else "neither")
    return [] if right == worded[kind] else [f"{right!r} is not so"]


def wrong_attributes(pair: Pair, chain: Chain, taxonomy: Taxonomy) -> list[str]:
    found = []
    flawed, target = flawed_in(chain), set(pair.target.attributes)
    traced = {trace.attribute for trace in chain.traces if trace.attribute}
    told = {
        trace.attribute
        for trace in chain.traces
        if trace.attribute and any(trace.observation.rstrip(".")[1:] in text for text in answers(pair))
    }
    named, affirmed = set(), set()
    for text in answers(pair):
        own = own_words(text, chain, taxonomy)
        for sentence in re.split(r"(?<=[.!?:])\s|\n", own):
            keys = names_in(sentence, taxonomy)
            named |= keys
            if pair.task in ("evidence", "grounding", "looks") and not NOTHING.search(sentence):
                affirmed |= keys & flawed
            if len(keys) == 1 and pair.task not in ("knowledge", "choice"):
                if NOTHING.search(sentence) and keys & flawed:
                    found.append(f"denies a flaw: {sentence}")
                if SOMETHING.search(sentence) and not NOTHING.search(sentence) and not keys & flawed:
                    found.append(f"makes up a flaw: {sentence}")
    asked = names_in(" ".join(m.text() for m in pair.messages if m.role == "user"), taxonomy) & flawed
    if len(asked) == 1 and pair.task != "knowledge" and re.match("Yes|<box>", answers(pair)[-1]):
        affirmed |= asked
    if pair.choices and pair.target.choice:
        affirmed |= names_in(pair.choices["ABCDEFGH".index(pair.target.choice)], taxonomy) & flawed
    if not affirmed <= target:
        found.append(f"affirms {affirmed - target} beside the target")
    if not told <= target:
        found.append(f"tells {told - target} beside the target")
    if chain.label is Label.FAKE and pair.task not in ("knowledge", "advice", "choice"):
        unknown = named - traced - {key for key, what in chain.assessed.items() if what is Assessment.ABSENT}
        if unknown:
            found.append(f"names {unknown}, of which nobody said anything")
    if not target <= told | named | (asked if pair.task != "knowledge" else set()):
        found.append(f"the target has {target - told - named}, which nothing tells")
    if not target <= traced:
        found.append(f"the target has {target - traced}, which have no trace")
    return found


def wrong_boxes(pair: Pair, template: Template, chain: Chain) -> list[str]:
    own = {thousandths(region.box): region.box for trace in chain.traces for region in trace.regions}
    written = [
        [thousandths(box) for one in find_boxes(message.text()) for box in one.boxes]
        for message in pair.messages
    ]
    found = [f"box {box} is not the chain's" for turn in written for box in turn if box not in own]
    if any("<box" in re.sub(r"<box>.*?</box>", "", message.text()) for message in pair.messages):
        found.append("a box that cannot be read")
    target = {thousandths(box) for box in pair.target.boxes}
    if not set(pair.target.boxes) <= set(own.values()):
        found.append("the target's boxes are not the chain's")
    said, asked = {box for turn in written[1::2] for box in turn}, set(written[0])
    if (said or asked or template.writes_boxes) and said | asked != target:
        found.append(f"the words have {sorted(said | asked)}, the target {sorted(target)}")
    crops = [image.crop for image in pair.images[1:]]
    if crops:
        boxes = [own[box] for box in written[1]]
        inside = [
            crop[0] <= box[0] and crop[1] <= box[1] and box[2] <= crop[2] and box[3] <= crop[3]
            for crop, box in zip(crops, boxes, strict=True)
        ]
        if not all(inside) or any(image.parent != chain.image.path for image in pair.images[1:]):
            found.append("the crops are not of the boxes")
    return found


def wrong_grammar(pair: Pair, chain: Chain) -> list[str]:
    found = []
    for text in answers(pair):
        if "<" not in re.sub(r"<box>.*?</box>", "", text):
            continue
        parsed = parse_answer(text)
        if parsed is None:
            found.append("an answer that the grammar does not read")
        elif parsed.verdict != chain.label or parsed.tags != (pair.target.tags or {}):
            found.append("an answer with another verdict or other tags than its target")
    if pair.target.tags not in (None, chain.tags):
        found.append("tags that the chain does not have")
    return found


def contradictions(chain: Chain, template: Template, pair: Pair, taxonomy: Taxonomy) -> list[str]:
    return [
        *wrong_verdicts(pair, chain, taxonomy),
        *wrong_choices(pair, template, chain, taxonomy),
        *wrong_attributes(pair, chain, taxonomy),
        *wrong_boxes(pair, template, chain),
        *wrong_grammar(pair, chain),
    ]


def test_no_answer_contradicts_its_chain_or_its_target(said, taxonomy):
    seen = {}
    for chain, template, pair in said:
        for problem in contradictions(chain, template, pair, taxonomy):
            seen.setdefault(
                (template.id, problem[:30]), (problem, [m.text() for m in pair.messages], pair.target)
            )
    assert not seen, "\n".join(f"{key}: {what}" for key, what in seen.items())


def test_every_template_and_label_was_read(said, templates):
    read = {(template.id, chain.label) for chain, template, _ in said}
    assert read == {(template.id, label) for template in templates.templates for label in Label}
    statuses = {
        pair.task for chain, _, pair in said if chain.id.startswith("bare-") and chain.label is Label.REAL
    }
    assert statuses >= {"verdict", "evidence", "choice", "grounding"}


def reworded(pair: Pair, pattern: str, by: str) -> Pair:
    """The pair with the first match in its last answer replaced."""
    last = pair.messages[-1]
    words = re.sub(pattern, by, last.text(), count=1)
    content = last.content[-1].model_copy(update={"text": words})
    return pair.model_copy(
        update={"messages": (*pair.messages[:-1], last.model_copy(update={"content": (content,)}))}
    )


def retargeted(pair: Pair, **update: object) -> Pair:
    return pair.model_copy(update={"target": pair.target.model_copy(update=update)})


OPPOSITE = {Label.FAKE: "real", Label.REAL: "fake"}

SPOILT = {
    "the verdict word": lambda chain, pair: (
        reworded(
            pair, rf"(?<=image )is {chain.label}\b|(?<=<verdict>){chain.label}", f"is {OPPOSITE[chain.label]}"
        )
        if pair.target.verdict
        else pair
    ),
    "yes for no": lambda chain, pair: (
        reworded(pair, r"^Yes\b", "No") if pair.polarity and not pair.choices else pair
    ),
    "no for yes": lambda chain, pair: (
        reworded(pair, r"^No\b", "Yes") if pair.polarity and not pair.choices else pair
    ),
    "the letter": lambda chain, pair: (
        reworded(pair, r"^[AB]\b", "B" if pair.target.choice == "A" else "A") if pair.choices else pair
    ),
    "a box of the answer": lambda chain, pair: (
        reworded(pair, r"<box>\[\[\d+", "<box>[[1") if pair.task == "grounding" else pair
    ),
    "a box of the target": lambda chain, pair: (
        retargeted(pair, boxes=pair.target.boxes[1:]) if pair.task in ("grounding", "looks") else pair
    ),
    "an attribute too few": lambda chain, pair: retargeted(pair, attributes=pair.target.attributes[1:]),
    "an attribute too many": lambda chain, pair: retargeted(
        pair, attributes=(*pair.target.attributes, "anatomy")
    ),
    "another verdict in the target": lambda chain, pair: retargeted(pair, verdict=OPPOSITE[chain.label]),
    "another tag": lambda chain, pair: reworded(pair, "<tag>object", "<tag>subject"),
    "the verdict's mark": lambda chain, pair: reworded(pair, "</verdict>", "</verdict"),
    "crops of other places": lambda chain, pair: pair.model_copy(
        update={
            "images": (
                pair.images[0],
                *(image.model_copy(update={"crop": (0.98, 0.98, 1.0, 1.0)}) for image in pair.images[1:]),
            )
        }
    ),
    "a flaw denied": lambda chain, pair: (
        reworded(pair, "^", f"Nothing is wrong with the {flaw}. ")
        if (flaw := next(iter(sorted(flawed_in(chain) & {"texture", "clarity", "shape"})), None))
        and pair.task == "evidence"
        else pair
    ),
    "a flaw made up": lambda chain, pair: (
        reworded(pair, "^", "In terms of anatomy something is wrong. ") if pair.task == "evidence" else pair
    ),
    "a fake called a photograph": lambda chain, pair: (
        reworded(pair, "^", "This is a photograph. ")
        if chain.label is Label.FAKE and pair.task in ("verdict", "evidence") and not pair.choices
        else pair
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_noticed(said, taxonomy, what):
    changed, noticed = 0, 0
    for chain, template, pair in said[:: 7 if "attribute" in what or "verdict in" in what else 1]:
        spoilt = SPOILT[what](chain, pair)
        if spoilt != pair:
            changed += 1
            noticed += bool(contradictions(chain, template, spoilt, taxonomy))
            if changed == 150:
                break
    assert changed >= 5
    assert noticed > 0.9 * changed, f"{noticed} of {changed}"
