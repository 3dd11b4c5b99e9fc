"""Turns: whether conversations are whole, in order, and answered."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fakeinstruct.chains.refusals import OF_ITSELF, has_refusal
from fakeinstruct.expand.context import PLACEHOLDER
from fakeinstruct.measure.audit.finding import Cell, Example, Finding, Level, Section, Table
from fakeinstruct.measure.audit.sample import Talk, spread
from fakeinstruct.measure.audit.texts import TRANSLATOR
from fakeinstruct.measure.detection import FEW_GROUPS

END = re.compile(r"[.!?…\u3002\uff01\uff1f)\]}>\"'”’»`*]\s*\Z")
"""What the last sentence, list, box or tag of a whole answer ends with."""

ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+(.*)\Z")
"""An item of a list."""

KEYWORDS = 6
"""Words of an item that need no mark after them."""

USUAL = 5
"""Answers of a template with the same last three words from which on they are how it ends."""

SAME: Mapping[float, Level] = {1.0: "problem", 0.95: "warning", 0.75: "note"}
"""Share of a template's answers that are one and the same, and what that is."""

SOME = 0.01
"""Share of cut answers or refusals from which on they are a problem: then they are no accidents."""


class Check(NamedTuple):
    """Something that may be wrong with a single conversation."""

    title: str
    hint: str
    wrong: Callable[[Talk], bool]
    always: bool
    """Whether one is a problem; otherwise it is from a share of `SOME` on."""


def out_of_order(talk: Talk) -> bool:
    """Whether turns do not alternate from a question to an answer; questions alone are an evaluation item."""
    roles = [turn.role for turn in talk.turns]
    whole = roles == ["user", "assistant"] * (len(roles) // 2)
    return not whole and roles != ["user"]


def misplaced(talk: Talk) -> bool:
    """Whether image placeholders are not one an image, or stand in an answer."""
    asked = sum(turn.kinds.count("image") for turn in talk.turns if turn.role == "user")
    answered = sum(turn.kinds.count("image") for turn in talk.turns if turn.role == "assistant")
    return asked != len(talk.images) or answered > 0


def declines(answer: str) -> bool:
    """Whether an answer declines, or begins or goes on as no expert would: of a model itself, or of a translation."""
    return has_refusal(answer) or any(pattern.search(answer) for pattern in (OF_ITSELF, TRANSLATOR))


def cut(answer: str, choices: Sequence[str] = ()) -> bool:
    """Whether an answer of several words stops without a mark, not in a short item of a list nor an option's words."""
    if len(answer.split()) < 2 or END.search(answer) or answer.rstrip().endswith(tuple(choices)):
        return False
    item = ITEM.match(answer.rstrip().splitlines()[-1])
    return item is None or len(item.group(1).split()) > KEYWORDS


CHECKS: Mapping[str, Check] = {
    "order": Check(
        "Turns out of order", "Let question and answer alternate, a question first.", out_of_order, True
    ),
    "images": Check(
        "Image placeholders that do not match the images",
        "Give each image one placeholder, in a question.",
        misplaced,
        True,
    ),
    "control tokens": Check(
        "Words that a processor takes for an image or the end of a turn",
        "Remove them from the texts.",
        lambda talk: any(PLACEHOLDER.search(turn.text) for turn in talk.turns),
        True,
    ),
    "empty question": Check(
        "Empty questions",
        "Remove these pairs.",
        lambda talk: any(not text.strip() for text in talk.questions),
        True,
    ),
    "empty answer": Check(
        "Empty answers",
        "Remove these pairs.",
        lambda talk: any(not text.strip() for text in talk.answers),
        True,
    ),
    "refusal": Check(
        "Answers that refuse",
        "Remove these pairs, or have them written anew.",
        lambda talk: any(declines(text) for text in talk.answers),
        False,
    ),
}
"""Checks of single conversations; what is cut is told by template, see `cut_talks`."""

CUT = Check("Answers that stop in the middle", "Have them written anew, with more tokens.", bool, False)


def cut_talks(talks: Sequence[Talk]) -> list[Talk]:
    """Conversations of one template with a cut answer.

    None is where most answers end without a mark, and none that ends with words that others end with too: a cut
    comes anywhere.
    """
    ends = [[_last_words(each) for each in talk.answers if cut(each, talk.choices)] for talk in talks]
    if 2 * sum(map(bool, ends)) > len(talks):
        return []
    usual = Counter(end for each in ends for end in set(each))
    return [talk for talk, each in zip(talks, ends, strict=True) if any(usual[end] < USUAL for end in each)]


def _last_words(answer: str) -> str:
    return " ".join(answer.lower().split()[-3:])


def turns_section(talks: Sequence[Talk]) -> Section:
    """Audit the conversations of a pair set.

    Args:
        talks: The pairs read.
    """
    by_template = defaultdict(list)
    for talk in talks:
        by_template[talk.template].append(talk)
    wrong = {name: [talk for talk in talks if check.wrong(talk)] for name, check in CHECKS.items()}
    wrong["cut answer"] = [talk for part in by_template.values() for talk in cut_talks(part)]
    checks = {**CHECKS, "cut answer": CUT}
    findings = [_finding(checks[name], found, len(talks)) for name, found in wrong.items() if found]
    findings += [same for name, part in sorted(by_template.items()) if (same := _same(name, part))]
    if repeated := _repeated(talks):
        findings.append(repeated)
    return Section(
        name="Turns",
        summary="Are the conversations whole, in order, and answered? Of a template whose answers mostly end without a "
        "mark (a letter, a word, a list), none counts as cut.",
        findings=tuple(findings),
        tables=(_answers_table(by_template), _wrong_table(wrong, talks)),
    )


def _finding(check: Check, found: Sequence[Talk], total: int) -> Finding:
    level: Level = "problem" if check.always or len(found) >= SOME * total else "warning"
    return Finding(
        level=level,
        title=check.title,
        detail=f"{len(found):,} of {total:,} pairs ({len(found) / total:.2%}), in "
        + ", ".join(name for name, _ in Counter(talk.template for talk in found).most_common(5)),
        hint=check.hint,
        examples=tuple(_conversation(talk) for talk in spread(found)),
    )


def _conversation(talk: Talk) -> Example:
    return talk.example("\n".join(f"{turn.role}: {turn.text.strip() or '(nothing)'}" for turn in talk.turns))


def _same(template: str, talks: Sequence[Talk]) -> Finding | None:
    """One answer to most questions of a template, whatever the image: little is learned from it but the answer."""
    answered = [talk for talk in talks if talk.answers]
    if len({talk.chain for talk in answered}) < FEW_GROUPS:
        return None
    answers, count = Counter(talk.answers for talk in answered).most_common(1)[0]
    level = next((level for share, level in SAME.items() if count >= share * len(answered)), None)
    if level is None:
        return None
    alike = [talk for talk in answered if talk.answers == answers]
    return Finding(
        level=level,
        title=f"The same answer {'whatever the image' if len(alike) == len(answered) else 'mostly'} in {template}",
        detail=f"{count:,} of {len(answered):,} pairs are answered alike ({count / len(answered):.1%}).",
        hint="A model learns to answer so without looking, and is right that often. Ask where the answer varies.",
        examples=tuple(_conversation(talk) for talk in spread(alike)),
    )


def _repeated(talks: Sequence[Talk]) -> Finding | None:
    """The same words about the same image more than once."""
    counted = Counter((talk.images, talk.turns) for talk in talks)
    twice = {key for key, count in counted.items() if count > 1}
    if not twice:
        return None
    again = sum(counted[key] - 1 for key in twice)
    shown = spread([talk for talk in talks if (talk.images, talk.turns) in twice])
    return Finding(
        level="warning",
        title="The same conversation about the same image, again",
        detail=f"{again:,} of {len(talks):,} pairs repeat another one word for word.",
        hint="Remove the copies: they weigh these images more than others.",
        examples=tuple(_conversation(talk) for talk in shown),
    )


def _answers_table(by_template: Mapping[str, Sequence[Talk]]) -> Table:
    """How much the answers of each template vary, and what they begin with."""
    rows: list[tuple[Cell, ...]] = []
    for template, talks in sorted(by_template.items()):
        answers = Counter(talk.answers for talk in talks if talk.answers)
        if not answers:
            rows.append((template, 0, None, None, None, None))
            continue
        n = answers.total()
        first = Counter((talk.answers[0].split() or ["(nothing)"])[0] for talk in talks if talk.answers)
        (word, count), most = first.most_common(1)[0], answers.most_common(1)[0][1]
        rows.append((template, n, len(answers), round(most / n, 3), word[:40], round(count / n, 3)))
    columns = (
        "template",
        "answered",
        "different answers",
        "share of commonest",
        "commonest first word",
        "its share",
    )
    return Table(title="Answers", columns=columns, rows=tuple(rows))


def _wrong_table(wrong: Mapping[str, Sequence[Talk]], talks: Sequence[Talk]) -> Table:
    rows: list[tuple[str, int]] = [(name, len(found)) for name, found in wrong.items()]
    rows.append(("no answer: evaluation items", sum(not talk.answers for talk in talks)))
    return Table(title="What was looked for", columns=("found", "pairs"), rows=tuple(rows))
