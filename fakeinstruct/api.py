"""The verbs of the way as functions; those that only look (`validate`, `lint`, `preview`, `doctor`) stay verbs.

The way: make_sample or import_chains -> open_chains -> expand -> train -> score -> calibrate, measure.
"""

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.merge import merge_chains
from fakeinstruct.chains.reencode import reencode
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.demo import run_demo
from fakeinstruct.expand.card.write import write_card
from fakeinstruct.expand.export.write import export
from fakeinstruct.expand.own_pairs import make_pairs
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expand.write import expand
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.recipe import load_recipe
from fakeinstruct.forensics.answers import open_answers
from fakeinstruct.forensics.ask import ask, ask_all
from fakeinstruct.forensics.detect import detect, detect_all
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import Protocol, load_evaluation, load_protocol
from fakeinstruct.forensics.score import score
from fakeinstruct.measure.audit.run import audit
from fakeinstruct.measure.calibrate import calibrate
from fakeinstruct.measure.comparison.run import compare
from fakeinstruct.measure.evaluate import evaluate
from fakeinstruct.measure.evaluations.needs import open_items
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.table.detector_table import open_table

__all__ = [
    "Protocol",
    "Rejects",
    "ask",
    "ask_all",
    "audit",
    "calibrate",
    "compare",
    "detect",
    "detect_all",
    "evaluate",
    "expand",
    "export",
    "import_chains",
    "load_evaluation",
    "load_expert",
    "load_protocol",
    "load_recipe",
    "make_pairs",
    "make_sample",
    "measure",
    "merge_chains",
    "open_answers",
    "open_chains",
    "open_items",
    "open_pairs",
    "open_table",
    "reencode",
    "run_demo",
    "score",
    "train",
    "write_card",
]
