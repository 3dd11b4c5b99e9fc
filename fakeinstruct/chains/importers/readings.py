"""Taking a sentence apart that holds both what is seen and what follows from it.

"The text is jumbled, so this image is fake" is "The text is jumbled." and "This image is fake." Where what is seen is
only the subject of the sentence ("The shape of the lid makes me think that ..."), it cannot stand alone and nothing is
parted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fakeinstruct.chains.importers.sentences import as_sentence

VERB = r"suggest|indicat|impl|confirm|reveal|prov|show|mean|hint|tell|mak"
"""Stems of the verbs that lead from what is seen to a conclusion."""

_PARTICIPLES = {
    "suggesting": "suggests",
    "indicating": "indicates",
    "implying": "implies",
    "confirming": "confirms",
    "revealing": "reveals",
    "making": "makes",
    "hinting": "hints",
}
_TAIL = re.compile(
    rf"(?P<said>.+), (?:(?:thus|thereby|all) )?(?P<adverb>\w+ly |further )?(?P<verb>{'|'.join(_PARTICIPLES)})"
    r"(?P<rest> .+)",
    re.DOTALL,
)
_SIGN = r"is(?= (?:an?|another|the) (?:[\w-]+ )?(?:sign|hint|clue|indication|indicator|giveaway|proof)\b)"
_WHICH = re.compile(
    rf"(?P<said>.+), which (?P<adverb>\w+ly |further )?(?P<verb>(?:{VERB})\w*|{_SIGN})(?P<rest> .+)",
    re.DOTALL,
)
_THAT = re.compile(
    r"(?P<said>.+, \w+ing .+) that (?P<adverb>\w+ly )?(?P<verb>(?:suggest|indicat|impl)\w*)(?P<rest> .+)",
    re.DOTALL,
)
_FACT = re.compile(
    rf"The fact that (?P<said>.+?),? (?P<adverb>\w+ly )?(?P<verb>(?:{VERB})\w*)(?P<rest> .+)", re.DOTALL
)
_BECAUSE = re.compile(
    r"(?P<claim>.{1,120}?),? (?:because(?! of\b)|since|given (?:the fact )?that|due to the fact that) (?P<said>.+)",
    re.DOTALL,
)
_AND_BECAUSE = re.compile(r" (and|but)((?: \w+){0,2}) because (?!of\b)")
"""Between two reasons that belong to one claim."""

_COLON = re.compile(r"(?P<claim>[^:]{1,120}): (?P<said>.+)", re.DOTALL)
_SINCE = re.compile(r"(?:Since|Because(?! of\b)|Given that) (?P<said>.+), (?P<claim>.+)", re.DOTALL)
_SO = re.compile(
    r"(?P<said>.+)(?:[,;] (?:and )?| and )(?:so(?! (?:that|as|on|far|much|many)\b)|therefore|thus|hence|consequently"
    r"|as a result|meaning|which is why)(?: that)?,? (?P<claim>.+)",
    re.DOTALL,
)


def readings(words: str, stated: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
    """Observation and inference of a sentence that holds both, if they can be taken apart.

    Args:
        words: The sentence.
        stated: Where it states verdicts, start and end of each.

    Returns:
        One pair, or none.
    """
    for pattern in (_TAIL, _WHICH, _THAT, _FACT):
        match = pattern.fullmatch(words)
        if (
            match
            and all(start >= match.start("verb") for start, _ in stated)
            and "the fact" not in match["said"]
        ):
            verb = _third_person(match["verb"])
            inference = f"This {match['adverb'] or ''}{verb}{match['rest']}"
            return [(as_sentence(match["said"]), as_sentence(inference))]
    for pattern in (_BECAUSE, _SINCE, _COLON, _SO):
        match = pattern.fullmatch(words)
        if match and all(match.start("claim") <= start < match.end("claim") for start, _ in stated):
            said = _AND_BECAUSE.sub(r" \1\2 ", match["said"])
            if pattern is _SO or " because " not in said:
                return [(as_sentence(said), as_sentence(match["claim"]))]
    return []


def _third_person(verb: str) -> str:
    verb = _PARTICIPLES.get(verb, verb)
    return verb if verb.endswith("s") else f"{verb}s"
