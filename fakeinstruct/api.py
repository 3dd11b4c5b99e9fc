"""Every verb as a function.

The way: make_sample or import_chains -> open_chains -> expand -> train -> score -> calibrate, measure.
"""

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.demo import run_demo
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expand.write import expand
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.recipe import load_recipe
from fakeinstruct.forensics.answers import open_answers
from fakeinstruct.forensics.detect import detect
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.score import score
from fakeinstruct.measure.run import calibrate, measure

__all__ = [
    "Rejects",
    "calibrate",
    "detect",
    "expand",
    "import_chains",
    "load_expert",
    "load_recipe",
    "make_sample",
    "measure",
    "open_answers",
    "open_chains",
    "open_pairs",
    "run_demo",
    "score",
    "train",
]
