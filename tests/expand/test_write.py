import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import make_chain, make_set, mixed

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expand.read import default_folder
from fakeinstruct.expand.write import expand

SMALL = 700
"""Pairs a shard in these tests, so that a small set has several."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", SMALL)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder of templates that is read in no time."""
    folder = tmp_path_factory.mktemp("templates")
    for task in ("reasoning", "verdict"):
        shutil.copytree(default_folder() / task, folder / task)
    shutil.copy(default_folder() / "phrases.yaml", folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def run(chains, out, **settings):
    return expand(chains, out, **{"seed": 0, "rejects": Rejects(), **settings})


@pytest.fixture(scope="module")
def once(chain_set, tmp_path_factory):
    """One expansion of the two hundred chains."""
    out = tmp_path_factory.mktemp("once") / "pairs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", SMALL)
        return out, run(chain_set, out, pairs=4000)


def test_the_set_is_what_the_manifest_says(once, chain_set):
    out, manifest = once
    found = open_pairs(out)
    assert found.manifest == manifest
    assert found.image_root.resolve() == chain_set.image_root.resolve()
    pairs = list(found.read())
    assert len(pairs) == manifest.pairs == 4000
    assert len({pair.id for pair in pairs}) == 4000
    assert manifest.rejected == 0
    assert list(manifest.shards) == [
        f"pairs-{number:05d}-of-{len(manifest.shards):05d}.parquet" for number in range(6)
    ]
    assert manifest.per_task == {task: sum(pair.task == task for pair in pairs) for task in manifest.per_task}
    for template, counts in manifest.per_template.items():
        assert counts["fake"] == counts["real"] == sum(p.template == template for p in pairs) / 2
    assert manifest.per_split == {split: len(list(found.read(split=split))) for split in manifest.per_split}


def test_pairs_of_a_chain_lie_together_and_differ(once):
    pairs = list(open_pairs(once[0]).read())
    chains = [pair.chain for pair in pairs]
    blocks = [chain for number, chain in enumerate(chains) if number == 0 or chains[number - 1] != chain]
    assert len(blocks) == len(set(blocks))
    texts = [(pair.chain, tuple(message.text() for message in pair.messages)) for pair in pairs]
    assert len(texts) == len(set(texts))


def test_readouts_and_explanation_prompts_are_questions_of_the_set(once):
    out, manifest = once
    first = manifest.readouts[0]
    assert (first.template, first.fake, first.real) == ("verdict/one_word", ("fake",), ("real",))
    assert first.prompts[0] == "Is this image real or fake? Answer with one word."
    asked: dict[str, set[str]] = {}
    for pair in open_pairs(out).read():
        asked.setdefault(pair.template, set()).add(pair.messages[0].text())
    for readout in manifest.readouts:
        assert asked[readout.template] <= set(readout.prompts)
    assert manifest.explanation_prompts[0] == "Is this image real or fake? Explain why."
    assert asked["reasoning/explain"] <= set(manifest.explanation_prompts)


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_write_the_same_bytes(once, chain_set, tmp_path, workers):
    run(chain_set, tmp_path / "two" / "pairs", pairs=4000, workers=workers)
    two, one = contents(tmp_path / "two" / "pairs"), contents(once[0])
    manifests = [json.loads(files.pop("manifest.json")) for files in (one, two)]
    for manifest in manifests:
        del manifest["image_root"]  # the one thing that depends on where the folders lie
    assert manifests[0] == manifests[1]
    assert two == one


def test_another_seed_gives_other_pairs(once, chain_set, tmp_path):
    other = run(chain_set, tmp_path / "pairs", pairs=4000, seed=1)
    assert not set(other.shards.values()) & set(once[1].shards.values())


KILLED = """
import sys
from pathlib import Path
import fakeinstruct.expand.plan
fakeinstruct.expand.plan.SHARD_PAIRS = {small}
from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.write import expand
if __name__ == "__main__":
    chains, out, few = open_chains(sys.argv[1]), sys.argv[2], sys.argv[3]
    expand(chains, out, seed=0, pairs=8000, workers=2, templates=few, rejects=Rejects())
"""


def test_a_killed_run_of_two_workers_goes_on_to_the_same_bytes(chain_set, tmp_path, few):
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(small=SMALL))
    out = tmp_path / "pairs"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, script, chain_set.folder, out, few], env=environment)
    deadline = time.monotonic() + 60
    while not list(out.glob("pairs-*.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "manifest.json").exists()
    with pytest.raises(UsageError, match="not a finished pair set"):
        open_pairs(out)
    finished = {file: file.stat().st_mtime_ns for file in out.glob("pairs-*.json")}
    assert finished
    run(chain_set, out, pairs=8000, templates=few)
    assert {file: file.stat().st_mtime_ns for file in finished} == finished
    run(chain_set, tmp_path / "once", pairs=8000, templates=few)
    assert contents(out) == contents(tmp_path / "once")


def test_a_damaged_shard_is_written_anew(chain_set, tmp_path, few):
    out = tmp_path / "pairs"
    run(chain_set, out, pairs=1500, templates=few)
    before = contents(out)
    shard = next(out.glob("*.parquet"))
    shard.write_bytes(b"not what the sidecar vouches for")
    run(chain_set, out, pairs=1500, templates=few)
    assert contents(out) == before


@pytest.mark.parametrize(
    "changed",
    [{"pairs": -5}, {"per_template": {"nope": {"fake": 1}}}, {"rejects": [{"x": "y"}]}, {"seal": ""}],
)
def test_a_sidecar_changed_by_hand_is_not_believed(chain_set, tmp_path, few, changed):
    out = tmp_path / "pairs"
    run(chain_set, out, pairs=200, templates=few)
    before = contents(out)
    sidecar = next(out.glob("pairs-*.json"))
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | changed))
    (out / "manifest.json").unlink()
    run(chain_set, out, pairs=200, templates=few)
    assert contents(out) == before


def test_other_folders_are_refused(once, chain_set, tmp_path, few):
    with pytest.raises(FakeInstructError, match=r"another expansion \(other: budget\)"):
        run(chain_set, once[0], pairs=3000)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FakeInstructError, match="not empty and not a pair set"):
        run(chain_set, tmp_path / "mine", pairs=100, templates=few)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(FakeInstructError, match="is a file where a folder"):
        run(chain_set, tmp_path / "file", pairs=100, templates=few)


def test_datasets_reads_the_shards(once):
    from datasets import load_dataset

    out, manifest = once
    found = load_dataset("parquet", data_files=[str(out / name) for name in manifest.shards], split="train")
    assert found.num_rows == 4000
    assert found[0]["messages"][0]["content"][0]["type"] == "image"


def test_bad_records_are_counted_and_the_rest_is_expanded(tmp_path):
    chains = [chain.model_copy(update={"split": None}) for chain in mixed(24)]
    long = chains[5].traces[0].model_copy(update={"observation": "x" * 19_999})
    chains[5] = chains[5].model_copy(update={"traces": (long,)})
    chain_set = make_set(tmp_path / "chains", chains)
    lines = chain_set.file.read_text().splitlines()
    lines[2] = lines[2].replace('"label":"fake"', '"label":1')
    lines[3] = lines[3][:100]
    chain_set.file.write_text("\n".join(lines) + "\n")
    rejects = Rejects()
    out = tmp_path / "pairs"
    manifest = run(chain_set, out, rejects=rejects)
    problems = [str(error) for error in rejects.errors]
    assert "record 3, field label: must be 'fake' or 'real'" in problems[0]
    assert "record 4: is not JSON" in problems[1]
    assert len(problems) > 2
    assert all(
        "longer than 20,000 characters" in problem and chains[5].id in problem for problem in problems[2:]
    )
    assert manifest.rejected == len(problems)
    pairs = list(open_pairs(out).read())
    assert manifest.pairs == len(pairs)
    assert not {chains[2].id, chains[3].id} & {pair.chain for pair in pairs}
    again = Rejects()
    assert run(chain_set, out, rejects=again) == manifest
    assert [str(error) for error in again.errors] == problems


def test_too_many_bad_records_end_the_run(tmp_path, few):
    chain_set = make_set(tmp_path / "chains", mixed(60))
    lines = chain_set.file.read_text().splitlines()
    chain_set.file.write_text("\n".join(line if number % 2 else "{" for number, line in enumerate(lines)))
    with pytest.raises(FakeInstructError, match="more than 20%"):
        run(chain_set, tmp_path / "pairs", templates=few)
    assert not (tmp_path / "pairs").exists()


def test_label_only_chains_expand_to_verdicts(tmp_path):
    chains = [make_chain(f"c{n}", list(Label)[n % 2], traces=0, judged=0) for n in range(20)]
    manifest = run(make_set(tmp_path / "chains", chains), tmp_path / "pairs")
    assert set(manifest.per_task) == {"verdict"}
    assert manifest.pairs > 20 * 40
    assert manifest.chains == 20


def test_chains_for_evaluation_only_are_refused(tmp_path):
    chain_set = make_set(tmp_path / "chains", mixed(4))
    meta = chain_set.meta.model_copy(update={"evaluation_only": "its terms forbid training"})
    with pytest.raises(UsageError, match="its terms forbid training"):
        run(replace(chain_set, meta=meta), tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()


def test_the_manifest_says_what_was_asked_for_and_the_folder_in_what_mixture(chain_set, tmp_path):
    manifest = run(chain_set, tmp_path / "pairs", pairs=1000, weights={"verdict": 3}, max_per_image=2)
    labels = Counter((chain.split, chain.label) for chain in chain_set.read())
    balanced = sum(2 * 2 * min(labels[split, label] for label in Label) for split in Split)
    assert (manifest.asked, manifest.pairs) == (1000, balanced)
    assert json.loads((tmp_path / "pairs" / "plan.json").read_text())["budget"] == {
        "pairs": 1000,
        "weights": {"verdict": 3.0},
        "max_per_template": None,
        "max_per_image": 2,
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pairs": 1}, "field pairs"),
        ({"weights": {"verdct": 1}}, "weights: there is no task 'verdct'. Did you mean 'verdict'"),
        ({"max_per_image": 0}, "field max_per_image"),
    ],
)
def test_a_wrong_budget_is_refused(chain_set, tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        run(chain_set, tmp_path / "pairs", **wrong)
