"""Asking in batches: their size, memory that runs out, pictures that a processor or a model refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from drawn import QUESTION, make_chains
from PIL import Image

from fakeinstruct.forensics import batch_size
from fakeinstruct.forensics.batch_size import GAIN, MOST, START, TRIALS, BatchSize, is_out_of_memory
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View, Viewer

WORDS = {"fake": ("fake",), "real": ("real",)}


@pytest.fixture(scope="module")
def expert(expert_folder):
    return load_expert(expert_folder)


def questions(names):
    return [
        Question(View(name), user_turn(QUESTION), WORDS, {"item": name, "kind": "verdict"}) for name in names
    ]


def grow(size, rate):
    """Batches as they are asked of a machine that does `rate(n)` images a second, n at once."""
    sizes = []
    while not size.found:
        sizes.append(size.size)
        size.took(size.size, size.size / rate(size.size))
        assert len(sizes) < 100
    return sizes


def test_a_batch_doubles_while_that_pays():
    size = BatchSize()
    sizes = grow(size, lambda n: min(n, 8) * 10.0)
    assert size.size == 8
    assert sizes == [n for n in (2, 4, 8, 16, 32) for _ in range(TRIALS)]


def test_a_small_gain_does_not_pay():
    size = BatchSize()
    grow(size, lambda n: 10.0 * (1 + (GAIN - 1) / 3) ** n.bit_length())
    assert size.size == START


def test_one_busy_moment_does_not_end_the_search():
    size = BatchSize()
    grow(size, lambda n: 1.0 if n == 4 else float(n))
    assert size.size == MOST


def test_a_batch_has_a_largest_size():
    size = BatchSize()
    grow(size, lambda n: float(n))
    assert size.size == MOST


def test_a_fixed_batch_stays_and_memory_still_halves_it():
    size = BatchSize(24)
    size.took(24, 1.0)
    assert (size.size, size.found) == (24, True)
    size.full(24)
    assert size.size == 12
    for _ in range(9):
        size.full(size.size)
    assert size.size == 1


def test_the_last_batch_which_is_not_full_says_nothing():
    size = BatchSize()
    for _ in range(9):
        size.took(START - 1, 1e-6)
    assert (size.size, size.found) == (START, False)


def test_a_cpu_is_not_filled_until_the_kernel_kills(monkeypatch):
    held = iter([1000, 1900, 3700])
    monkeypatch.setattr(batch_size, "_peak", lambda: next(held))
    monkeypatch.setattr(batch_size, "_available", lambda: 2000.0)
    size = BatchSize()
    grow(size, lambda n: float(n))
    assert size.size == 2 * START  # 900 for a half fitted twice, 2,700 do not


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_memory_that_runs_out_is_known_by_any_name(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_rows_say_how_many_images_were_asked_at_once(expert, tmp_path):
    names = [f"images/{n}.png" for n in range(20)]
    rows = list(expert.asker(Viewer(make_chains(tmp_path / "c", 20)), batch=8).stream(iter(questions(names))))
    assert [row["item"] for row in rows] == names
    assert [row["batch"] for row in rows] == [8] * 16 + [4] * 4
    assert {row["note"] for row in rows} == {None}


def test_an_unfixed_batch_begins_small_and_asks_each_once(expert, tmp_path):
    names = [f"images/{n}.png" for n in range(90)]
    asker = expert.asker(Viewer(make_chains(tmp_path / "c", 90)))
    rows = list(asker.stream(iter(questions(names))))
    assert [row["item"] for row in rows] == names
    batches = [row["batch"] for row in rows]
    assert batches[0] == START
    assert all(later <= 2 * earlier for earlier, later in pairwise(batches))


def test_a_picture_that_the_model_refuses_costs_its_own_rows(expert, tmp_path):
    """A picture whose tokens and features do not match, in the middle of a batch, as a real model refuses it."""
    names = [f"images/{n}.png" for n in range(9)]
    viewer = Viewer(make_chains(tmp_path / "c", 9))
    asker = expert.asker(viewer, batch=9)
    alone = [row["margin"] for row in asker.ask(questions(names))]
    block = asker.collator.placer.blocks.get(View(names[4]))
    block["input_ids"] = block["input_ids"][:-3]
    rows = asker.ask(questions(names))
    assert [n for n, row in enumerate(rows) if row.get("error")] == [4]
    assert rows[4]["error"].startswith("cannot be asked about (ValueError: ")
    assert "logits" not in rows[4]
    others = [n for n in range(9) if n != 4]
    assert [rows[n]["margin"] for n in others] == pytest.approx([alone[n] for n in others], abs=1e-5)


def test_a_picture_that_the_processor_refuses_costs_its_own_rows(expert, tmp_path):
    folder = make_chains(tmp_path / "c", 3)
    names = [f"images/{n}.png" for n in range(3)]

    def viewer(view):
        if view.path == names[1]:  # in the words of Qwen's
            raise ValueError("absolute aspect ratio must be smaller than 200, got 240.0")
        return Viewer(folder)(view)

    rows = expert.asker(viewer).ask(questions(names))
    assert ["error" in row for row in rows] == [False, True, False]
    assert rows[1]["error"].startswith("cannot be asked about (ValueError: absolute aspect ratio")


SMALL_MEMORY = """
import json, resource, sys
from pathlib import Path
from PIL import Image
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View, Viewer

def questions(count):
    words = {"fake": ("fake",), "real": ("real",)}
    return [Question(View(str(n)), user_turn(sys.argv[2]), words, {"item": str(n), "kind": "verdict"})
            for n in range(count)]

pictures = {str(n): Image.new("RGB", (16, 16), (n, 0, 0)) for n in range(256)}
expert = load_expert(sys.argv[1])
count = int(sys.argv[4])
asker = expert.asker(Viewer(None, pictures), batch=256)
free = [row["margin"] for row in expert.asker(Viewer(None, pictures), batch=4).ask(questions(count))]

# as if the vision tower needed 4 MiB an image: really allocated, and really refused
forward = expert.model.base_model.vision_tower.forward
def hungry(pixel_values, *args, **options):
    import torch
    torch.empty(len(pixel_values) * 4 * 2**20, dtype=torch.uint8).fill_(1)
    return forward(pixel_values, *args, **options)
expert.model.base_model.vision_tower.forward = hungry
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]) * 2**20,) * 2)
rows = asker.ask(questions(count))
print(json.dumps({"free": free, "rows": rows, "size": asker.batch.size}))
"""


def with_little_memory(expert_folder, mebibytes, images):
    command = [sys.executable, "-c", SMALL_MEMORY, str(expert_folder), QUESTION, str(mebibytes), str(images)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_memory_that_runs_out_halves_the_batch_and_the_rows_say_so(expert_folder):
    """256 images need a gibibyte where 400 MiB are left."""
    told = with_little_memory(expert_folder, 400, 256)
    rows = told["rows"]
    assert [row["item"] for row in rows] == [str(n) for n in range(256)]
    assert [row["margin"] for row in rows] == pytest.approx(told["free"], abs=1e-4)
    assert told["size"] == 128
    assert rows[0]["batch"] <= 64
    assert rows[0]["note"] == f"out of memory at {2 * rows[0]['batch']} images"


def test_an_image_that_memory_does_not_hold_alone_is_a_row_with_its_error(expert_folder):
    rows = with_little_memory(expert_folder, 2, 5)["rows"]
    assert len(rows) == 5
    assert all(row["error"].startswith("memory does not hold one image") for row in rows)
    assert all("margin" not in row for row in rows)


def test_a_picture_in_memory_is_asked_about(expert):
    rows = expert.asker(Viewer(None, {"a": Image.new("RGB", (16, 16), "white")})).ask(questions(["a"]))
    assert rows[0]["batch"] == 1
    assert isinstance(rows[0]["margin"], float)
