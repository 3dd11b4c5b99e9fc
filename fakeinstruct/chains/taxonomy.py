"""The taxonomy: attributes under which traces are filed, their definitions, aliases and advice."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from fakeinstruct.base.config import StrictModel, read_yaml, validate
from fakeinstruct.base.errors import RecordError, nearest
from fakeinstruct.base.surfaces import surface

Sentence = Annotated[str, Field(min_length=1)]

OTHER_SENSE = re.compile(
    r"characters|focus|form|letters|mood|stretching|subject|topic|viewpoint|warp", re.IGNORECASE
)
"""Names that free text mostly uses in another sense ("the focus is on"), so that they are no word on the attribute."""

EVERYDAY = re.compile(
    r"arrangement|colou?rs?|composition|light|placement|shapes?|theme|writing", re.IGNORECASE
)
"""Names that free text often uses in another sense ("a light blue car"); they count right after "the" only."""


class Attribute(StrictModel):
    """One attribute of an image that can betray a generator or speak for a photograph.

    `name` is how it is called in a sentence ("light and shadow"); `definition` says what it is;
    `betrays` how it gives a fake away; `clean` what it looks like in a photograph; `aliases` are other
    names in published annotations; `advice` is the bank of mending advice, used where an annotator gave none.
    """

    name: Sentence
    definition: Sentence
    betrays: Sentence
    clean: Sentence
    aliases: tuple[Sentence, ...] = ()
    advice: tuple[Sentence, ...] = Field(min_length=1)


class Taxonomy(StrictModel):
    """All attributes by key, as `templates/taxonomy.yaml` holds them."""

    version: int
    attributes: dict[str, Attribute]

    @model_validator(mode="after")
    def _aliases_are_unambiguous(self) -> Taxonomy:
        owners: dict[str, str] = {}
        for key, attribute in self.attributes.items():
            for alias in (key, attribute.name, *attribute.aliases):
                owner = owners.setdefault(_fold(alias), key)
                if owner != key:
                    raise ValueError(f"'{alias}' names both {owner} and {key}")
        return self

    @cached_property
    def _keys_by_alias(self) -> dict[str, str]:
        return {
            _fold(alias): key
            for key, attribute in self.attributes.items()
            for alias in (key, attribute.name, *attribute.aliases)
        }

    def key(self, name: str) -> str | None:
        """The key of an attribute under any of its names, letter case and punctuation aside, or None."""
        return self._keys_by_alias.get(_fold(name))

    @cached_property
    def _names(self) -> re.Pattern[str]:
        """All names as one pattern, longest first; as they are written, with any spaces and punctuation between."""
        names = sorted(self._keys_by_alias, key=len, reverse=True)
        return re.compile(
            r"(?<![\w-])(?:"
            + "|".join(name.replace(" ", r"[^0-9a-z.;:]{1,3}") for name in names)
            + r")(?![\w-])",
            re.IGNORECASE,
        )

    def named_in(self, text: str) -> dict[str, str]:
        """The attributes that free text names: key to the words that name it first.

        Whole words only, and of overlapping names the longest; not those of `OTHER_SENSE`, and everyday words
        (see `EVERYDAY`) only right after "the".
        """
        found: dict[str, str] = {}
        for match in self._names.finditer(text):
            name, key = match[0], self.key(match[0])
            everyday = EVERYDAY.fullmatch(name) and not text[: match.start()].lower().endswith("the ")
            if key and not everyday and not OTHER_SENSE.fullmatch(name):
                found.setdefault(key, name)
        return found

    def check(self, key: str, *, field: str) -> None:
        """Refuse a key that the taxonomy does not have.

        Raises:
            RecordError: Naming the field and the nearest key.
        """
        if key not in self.attributes:
            alias = self.key(key)
            hint = f"Did you mean '{alias}'?" if alias else nearest(key, self.attributes)
            raise RecordError(f"the taxonomy has no attribute '{key}'", field=field, hint=hint)


def _fold(name: str) -> str:
    """Letters and digits in lower case; '&' reads as 'and'."""
    return " ".join(re.sub(r"[^0-9a-z]+", " ", name.lower().replace("&", " and ")).split())


@lru_cache(maxsize=8)
def load_taxonomy(path: Path | None = None) -> Taxonomy:
    """Read a taxonomy; the project's own by default.

    Raises:
        UsageError: If the file is missing or not a taxonomy.
    """
    path = path or surface("templates") / "taxonomy.yaml"
    return validate(Taxonomy, read_yaml(path), file=path)
