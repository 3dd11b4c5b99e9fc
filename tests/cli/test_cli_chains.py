"""The verbs around chain sets, through the real command line in a process of its own."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.chains.importers import IMPORTERS
from fakeinstruct.cli.schema import json_schemas

ROOT = Path(__file__).parents[2]


def run(*arguments, cwd=None, **environment):
    """Run a verb; whatever happens, a person is never shown a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "fakeinstruct", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def photos(tmp_path):
    """Eight sound images in REAL and FAKE."""
    rng = np.random.default_rng(0)
    for label in ("REAL", "FAKE"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def test_import_then_validate_cleanly(photos, tmp_path):
    out = tmp_path / "chains"
    done = run("import", "imagefolder", photos, "--out", out, "--generator", "flux")
    assert done.returncode == 0
    assert f"8 chains in {out}" in done.stdout
    assert "flux" in done.stdout
    assert not (out / "rejects.jsonl").exists()
    done = run("validate", out)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "0 findings in 8 chains"


def test_bad_records_are_listed_and_the_status_says_so(photos, tmp_path):
    (photos / "FAKE/bad\n.png").write_text("not an image")
    out = tmp_path / "chains"
    done = run("import", "imagefolder", photos, "--out", out)
    assert done.returncode == 3
    assert "rejected 1: is not an image in a format that is read" in done.stderr
    (reject,) = (out / "rejects.jsonl").read_text().splitlines()
    assert json.loads(reject)["record"] == "FAKE/bad\n.png"
    (photos / "REAL/0.png").unlink()
    done = run("validate", out, "--out", tmp_path / "findings")
    assert done.returncode == 3
    expected = f"{photos / 'REAL/0.png'}, record REAL/0.png, field image.path: image file is missing"
    assert expected in done.stdout
    assert json.loads((tmp_path / "findings/rejects.jsonl").read_text())["record"] == "REAL/0.png"
    assert run("validate", out, "--without-images").returncode == 0


def test_a_zip_file_of_unknown_folders_is_wrong_usage_and_leaves_nothing(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for path in photos.rglob("*.png"):
            file.write(path, f"{int(path.parent.name == 'REAL')}/{path.name}")
    done = run("import", "imagefolder", "x.zip", "--out", "chains", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: x.zip: images lie in folders that do not say whether they are real")
    assert "'0' (4), '1' (4)" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "x.zip"]
    done = run(
        "import", "imagefolder", "x.zip", "--out", "chains", "--real", "1", "--fake", "0", cwd=tmp_path
    )
    assert done.returncode == 0
    assert (tmp_path / "chains/images/1/0.png").is_file()


def test_a_dry_run_writes_nothing(photos, tmp_path):
    done = run("import", "imagefolder", photos, "--out", tmp_path / "chains", "--dry-run")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "dry run: nothing was written")
    assert not (tmp_path / "chains").exists()


def test_help_lists_every_format_with_a_line():
    lines = run("import", "--help").stdout.splitlines()
    for name in IMPORTERS:
        assert any(line.strip().startswith(f"• {name}: ") for line in lines), name


def test_annotations_of_another_machine_are_imported_from_their_file(photos, tmp_path):
    texts = {"FAKE": "Its hand is odd, suggesting that the image is fake.", "REAL": "This is a real image."}
    records = [
        {
            "image": f"C:\\data\\{label}\\{number}.png",
            "conversations": [{"from": "human", "value": "<image>\nReal?"}, {"from": "gpt", "value": text}],
        }
        for label, text in texts.items()
        for number in range(3)
    ]
    records[0]["image"] = "C:\\data\\FAKE\\none.png"
    (tmp_path / "captions.json").write_text(json.dumps(records), encoding="utf-16")
    done = run("import", "llava", "captions.json", "--out", "chains", "--image-root", "photos", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == "5 chains in chains"
    assert "note: texts that are only a verdict: 3" in done.stderr
    assert "rejected 1: image file is missing" in done.stderr
    assert "captions.json, record 1, field image: image file is missing ('data/FAKE/none.png')" in done.stderr
    assert run("validate", "chains", cwd=tmp_path).returncode == 0


def test_a_benchmark_is_imported_without_images_and_never_expanded(tmp_path):
    question = {"question": "Is this a real image, yes or no?", "answer": "no", "authenticity": 0}
    rows = [{"image_id": f"sd-{number}.png", **question} for number in range(3)]
    (tmp_path / "FakeClass.json").write_text(json.dumps(rows))
    done = run("import", "fakebench", "FakeClass.json", "--out", "bench", "--without-images", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 chains and 3 evaluation items in bench")
    for more in ([], ["--dry-run"]):
        done = run("expand", "bench", "--out", "pairs", "--seed", "0", *more, cwd=tmp_path)
        assert done.returncode == 2
        assert "may not be trained on: FakeBench is published for evaluation only" in done.stderr
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["import", "imagefolder", "empty", "--out", "out"], 1, "error: empty: holds no images"),
        (
            ["import", "imagefolder", "none", "--out", "out"],
            2,
            "error: none: no such folder, zip file or annotation file",
        ),
        (["import", "lokki", "empty", "--out", "out"], 2, "there is no format 'lokki'. Did you mean 'loki'?"),
        (
            ["import", "loki", "empty", "--out", "out"],
            2,
            "empty: holds no open_ended_vqa.json or true_or_false",
        ),
        (["import", "loki", "empty", "--out", "out", "--fake", "x"], 2, "'loki' has no option 'fake'"),
        (["import", "llava", "empty", "--out", "out", "--image-root", "no"], 2, "image root is not a folder"),
        (["import", "imagefolder", "empty", "--out", "mine"], 1, "not a result of fakeinstruct"),
        (["validate", "empty"], 2, "error: empty: is not a chain set"),
        (["validate", "none"], 2, "error: none: no such chain set folder"),
        (["schema", "chian"], 2, "there is no schema 'chian'. Did you mean 'chain'?"),
        (["import", "imagefolder"], 2, "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_message_and_the_documented_status(tmp_path, arguments, status, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_hostile_chain_set_is_a_list_of_findings(photos, tmp_path):
    origin = {"by": "dataset"}
    sound = {
        "id": "a",
        "image": {"path": "REAL/0.png"},
        "label": "real",
        "dataset": "d",
        "group": "a",
        "origin": origin,
    }
    trace = {"id": "t", "attribute": "glow", "points_to": "fake", "observation": "x"}
    box = {"id": "t", "points_to": "fake", "observation": "x", "regions": [{"box": [0, 0, 2, 1]}]}
    rows = [
        json.dumps(sound),
        json.dumps({**sound, "id": "b", "label": 0}),
        json.dumps({**sound, "id": "c", "image": {"path": "../photos/REAL/0.png"}}),
        json.dumps({**sound, "id": "d", "traces": [trace]}),
        json.dumps({**sound, "id": "e", "traces": [box]}),
        json.dumps(sound),
        "[" * 100_000,
        "\x00",
        json.dumps({**sound, "id": "f", "traces": [{**box, "regions": [{"box": [float("nan"), 0, 1, 1]}]}]}),
        json.dumps({**sound, "id": "g", "tags": {"x" * 1000: "\x1b[31mred"}, "extra\n": 1}),
    ]
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains/chains.jsonl").write_text("\n".join(rows))
    (tmp_path / "chains/meta.json").write_text('{"name": "x", "image_root": "../photos"}')
    done = run("validate", "chains", cwd=tmp_path)
    assert done.returncode == 3
    findings = [line for line in done.stdout.splitlines() if line.startswith("chains/chains.jsonl")]
    for line, says in zip(
        findings,
        [
            "record 2, field label: must be 'fake' or 'real'",
            "record 3, field image.path: must be a path relative to the image root",
            "record 4, field traces.0.attribute: the taxonomy has no attribute 'glow'. Known: anatomy,",
            "record 5, field traces.0.regions.0.box: box [0.0, 0.0, 2.0, 1.0] is not x0, y0, x1, y1",
            "record 6, field id: the id 'a' was used before",
            "record 7: is not JSON",
            "record 8: is not JSON",
            "record 9: is not JSON (NaN is no number)",
            "record 10, field extra\\n: there is no 'extra\\n' here",
        ],
        strict=True,
    ):
        assert says in line
    assert done.stdout.splitlines()[-1] == "9 findings in 1 chains"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_standard_output_is_one_message(photos):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fakeinstruct", "schema", "chain"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT)},
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_the_published_schemas_are_current():
    folder = ROOT / "docs" / "schema"
    published = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    assert published == json_schemas(), "run 'fakeinstruct schema --write docs/schema'"


def test_a_schema_can_be_printed(tmp_path):
    assert json.loads(run("schema", "chain").stdout) == json_schemas()["chain"]
    assert run("schema").stdout.split() == list(json_schemas())


def test_doctor_speaks_of_a_broken_torch_without_breaking(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise OSError('libtorch_cpu.so: undefined symbol')")
    done = run("doctor", "--json", cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}", OMP_NUM_THREADS="1")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    broken = {package["name"]: package["problem"] for package in report["packages"] if package["problem"]}
    assert broken["torch"] == "cannot be imported (OSError: libtorch_cpu.so: undefined symbol)"
    assert report["accelerator"] is None
    assert report["works"]
    assert any(
        line.startswith("torch cannot be imported") and "train, score" in line for line in report["advice"]
    )


def test_doctor_says_when_the_core_is_broken(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('left out, so that this is quick')")
    (tmp_path / "jinja2.py").write_text("raise ImportError('broken')")
    done = run("doctor", cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}", OMP_NUM_THREADS="1")
    assert done.returncode == 1
    assert "jinja2 cannot be imported (ImportError: broken). It is needed for everything." in done.stdout
    assert done.stdout.splitlines()[-1] == "The core does not work."


def test_names_of_data_never_steer_the_terminal(photos, tmp_path):
    done = run(
        "import", "imagefolder", photos, "--out", tmp_path / "chains", "--generator", "\x1b[31mred\n\x07"
    )
    assert done.returncode == 0
    meta = json.loads((tmp_path / "chains/meta.json").read_text())
    (tmp_path / "chains/meta.json").write_text(json.dumps({**meta, "name": "\x1b[31mset"}))
    row = (tmp_path / "chains/chains.jsonl").read_text().splitlines()[0]
    bad = json.dumps({**json.loads(row), "id": "b", "assessed": {"\x1b[31m": "present"}})
    with (tmp_path / "chains/chains.jsonl").open("a") as file:
        file.write(f"{bad}\n")
    done = [
        done,
        run("validate", tmp_path / "chains"),
        run("audit", tmp_path / "chains", "--out", tmp_path / "a"),
    ]
    assert [each.returncode for each in done] == [0, 3, 3]
    assert all("\x1b" not in each.stdout + each.stderr for each in done)
    assert "\\x1b[31mred\\n\\x07" in done[0].stdout


def test_a_terminal_that_lacks_a_letter_is_shown_its_escape(photos, tmp_path):
    arguments = ("import", "imagefolder", photos, "--out", tmp_path / "chains", "--generator", "gé→")
    done = run(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert done.returncode == 0
    assert "g\\xe9\\u2192" in done.stdout


def test_a_set_is_merged_whose_folder_s_name_is_not_utf_8(photos, tmp_path):
    other = tmp_path / "caf\udce9"
    for folder, seed in ((tmp_path / "one", "1"), (other, "2")):
        assert run("import", "imagefolder", photos, "--out", folder, "--seed", seed).returncode == 0
    done = run("merge", tmp_path / "one", other, "--out", tmp_path / "all\udce9", PYTHONIOENCODING="ascii")
    assert done.returncode in (0, 3)
    assert run("validate", tmp_path / "all\udce9", PYTHONIOENCODING="ascii").returncode == 0
