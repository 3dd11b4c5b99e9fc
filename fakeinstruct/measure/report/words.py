"""Tables of what an expert wrote: its verdicts, the flaws it claims, its words beside others', a judge's marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fakeinstruct.measure.report.cells import Absent, Table, figure, interval
from fakeinstruct.measure.words.beside import ASPECTS

Part = Mapping[str, Any]

HEAD = ("figure", "images", "value", "95 % interval")

VERDICT = {
    "accuracy": ("n", "verdict is right (a text without one is wrong)"),
    "accuracy_fake": ("n_fake", "verdict is right, of fakes"),
    "accuracy_real": ("n_real", "verdict is right, of reals"),
    "parsed": (None, "texts with a verdict"),
    "agreement": ("n_agreement", "verdict agrees with the margin"),
}
"""Figures of verdicts, under which name their number of images stands, and what they are called."""

FLAWS = {
    "recall": ("n", "recall: annotated flaws that are claimed"),
    "precision": ("n_judged", "precision: claims of judged attributes that are right"),
    "f1": ("n_judged", "F1"),
    "unjudged": ("n", "claims a fake that nobody judged"),
    "claimed_on_real": ("n_real", "reals of which a flaw is claimed"),
    "claims_a_real": ("n_real", "claims a real"),
}
"""The same of claimed flaws."""

MARKED = (*ASPECTS, "overall")
"""Figures of the images that a judge marked."""

COUNTS = {
    **{"annotated": "annotated", "absent": "judged absent", "found": "claimed and annotated"},
    **{
        "wrong": "claimed and judged absent",
        "unjudged": "claimed, not judged",
        "on_real": "claimed of reals",
    },
}
"""Numbers of texts by attribute, and what they are called."""

SHARES = {"precision": "precision", "recall": "recall", "f1": "F1", "claimed_on_real": "share of reals"}
"""Figures by attribute, and what they are called."""

BESIDE = {
    **{"bleu_1": "BLEU-1", "bleu_2": "BLEU-2", "rouge_l": "ROUGE-L", "similarity": "similarity in meaning"},
    **{name: f"{name}, 0 to 2" for name in ASPECTS},
    "overall": "FakeBench's overall figure",
}
"""Figures of words beside others' words, and what they are called."""


def word_tables(words: Part) -> list[Table]:
    """The tables of `words` of `figures.json`."""
    return [
        *_verdicts(words),
        *_flaws(words["attributes"]),
        *_beside(words["beside"]),
        *_judge(words["judge"]),
    ]


def words_said(words: Part) -> str:
    """What the section on words opens with: whose words those of the expert stand beside, if anybody's."""
    if not words or not words["beside"]["by_writer"]:
        return "What was written. There are no words of annotators to compare it with."
    whose = " and ".join(each["words_of"] for each in words["beside"]["by_writer"].values())
    return f"What was written, and beside it words of {whose}; never those that a program wrote."


def figure_rows(row: Part, known: Mapping[str, tuple[str | None, str]], images: int) -> Iterator[Any]:
    """A row a figure: what it is called, its number of images, itself or why there is none, its interval.

    Args:
        row: The figures.
        known: By figure the name of its number of images in `row`, or none, and what it is called.
        images: Number of images where no name is known.
    """
    for name, (number, title) in known.items():
        yield title, row[number] if number else images, figure(row, name), between(row, name)


def between(row: Part, name: str) -> Any:
    """The interval of a figure, or why there is none; nothing where there is no figure either."""
    reason = (row.get("unavailable") or {}).get(f"{name}_low")
    absent = Absent(reason) if reason and row[name] is not None else ""
    return interval(row, name) or absent


def _verdicts(words: Part) -> Iterator[Table]:
    row = words["verdict"]
    yield Table("words: verdicts", HEAD, tuple(figure_rows(row, VERDICT, words["n"])))
    said = [(f"texts about {label}s", *each.values()) for label, each in row["outcomes"].items()]
    yield Table("words: what texts say", ("truth", "fake", "real", "no verdict"), tuple(said))
    examples = [(each["chain"], each["text"]) for each in row["unparsed"]["examples"]]
    if examples:
        yield Table(
            "words: texts without a verdict, some of them", ("image", "end of the text"), tuple(examples)
        )


def _flaws(row: Part) -> Iterator[Table]:
    if "per_attribute" not in row:
        yield Table("words: claimed flaws", HEAD, (("every figure", "", figure(row, "attributes"), ""),))
        return
    yield Table("words: claimed flaws", HEAD, tuple(figure_rows(row, FLAWS, row["n"])))
    if row["per_attribute"]:
        yield from _attributes(row["per_attribute"])


def _attributes(rows: Mapping[str, Part]) -> Iterator[Table]:
    counts = [(name, *(row[each] for each in COUNTS)) for name, row in rows.items()]
    yield Table("words: flaws by attribute, numbers of texts", ("attribute", *COUNTS.values()), tuple(counts))
    shares = [
        (name, *(cell for each in SHARES for cell in (row[each], interval(row, each) or "")))
        for name, row in rows.items()
    ]
    head = ("attribute", *(cell for title in SHARES.values() for cell in (title, "95 % interval")))
    yield Table("words: flaws by attribute, shares", head, tuple(shares))


def _beside(row: Part) -> Iterator[Table]:
    for each in row["by_writer"].values():
        known = {name: ("n_marked" if name in MARKED else "n", title) for name, title in BESIDE.items()}
        title = f"words beside those of {each['words_of']} ({', '.join(each['writers'])})"
        yield Table(title, HEAD, tuple(figure_rows(each, known, each["n"])))
    if row["left_out"]:
        yield Table(
            "words: images with nothing to compare with", ("reason", "images"), (*row["left_out"].items(),)
        )


def judge_line(row: Part) -> str:
    """Who marked, and by which prompt."""
    return f"the judge {row['model']} (prompt {row['prompt']}, {row['prompt_sha256'][:12]})"


def _judge(row: Part | None) -> Iterator[Table]:
    if not row:
        return
    marks = [(name, *counts) for name, counts in row["given"].items()]
    title = f"words: replies by mark of {judge_line(row)}"
    yield Table(title, ("aspect", "0", "1", "2"), tuple(marks))
    rows = [
        ("texts", row["texts"]),
        ("replies", row["replies"]),
        ("replies without marks", row["unparsed"]["n"]),
    ]
    rows += [(f"deviation of {name} within a text", value) for name, value in row["deviation"].items()]
    yield Table("words: what the judge was asked", ("what", "value"), tuple(rows))
