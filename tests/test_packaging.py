"""A wheel, an editable install and a bare checkout all find what users edit."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SURFACES = ("templates", "training", "eval")

ASK = """
import json
import fakeinstruct
from fakeinstruct.base.dependencies import declared_requirements
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.taxonomy import load_taxonomy
print(json.dumps({
    "package": fakeinstruct.__file__,
    "surfaces": {name: str(surface(name)) for name in ("templates", "training", "eval")},
    "attributes": len(load_taxonomy().attributes),
    "requirements": len(declared_requirements()),
}))
"""


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def ask(path, cwd):
    """What an interpreter finds that has `path` as a folder of packages, run from somewhere else."""
    start = f"import site; site.addsitedir({str(path)!r})\n"
    done = subprocess.run([sys.executable, "-c", start + ASK], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="builds without a network need hatchling: the dev extra")
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", ROOT, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out)
    (file,) = out.glob("*.whl")
    return file


def files_of(name):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_every_file_of_the_surfaces(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in SURFACES:
        assert {f"fakeinstruct/{path}" for path in files_of(name)} <= inside
    assert files_of("fakeinstruct") <= inside
    assert not [path for path in inside if path.startswith(("tests/", "docs/", ".ci/"))]


def test_an_installed_wheel_finds_its_own_surfaces(wheel, tmp_path):
    target = tmp_path / "site"
    pip("install", wheel, "--no-deps", "--no-index", "--target", target)
    # the checkout's own editable install, if any, must not be what is found
    code = f"import sys; sys.path.insert(0, {str(target)!r})\n" + ASK
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["package"] == str(target / "fakeinstruct/__init__.py")
    assert found["surfaces"] == {name: str(target / "fakeinstruct" / name) for name in SURFACES}
    assert found["attributes"] == 16
    assert found["requirements"] > 10


def test_an_editable_install_finds_the_checkout_s(tmp_path):
    pytest.importorskip("hatchling", reason="builds without a network need hatchling: the dev extra")
    target = tmp_path / "site"
    arguments = ("--no-deps", "--no-index", "--no-build-isolation", "--target", target)
    pip("install", "--editable", ROOT, *arguments)
    found = ask(target, tmp_path)
    assert found["package"] == str(ROOT / "fakeinstruct/__init__.py")
    assert found["surfaces"] == {name: str(ROOT / name) for name in SURFACES}
    assert found["requirements"] > 10


def test_a_bare_checkout_finds_its_own_from_anywhere(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + ASK
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["surfaces"] == {name: str(ROOT / name) for name in SURFACES}
