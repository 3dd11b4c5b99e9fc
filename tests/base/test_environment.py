import pytest
from packaging.requirements import Requirement

from fakeinstruct.base.dependencies import (
    CORE,
    NEEDED_FOR,
    Package,
    declared_requirements,
    import_problems,
    inspect_packages,
)
from fakeinstruct.base.environment import Environment, advice


def package(name, problem=None, version="1"):
    return Package(name=name, requirement=name, version=version, problem=problem, needed_for="train")


def found(**changes):
    sound = {
        "fakeinstruct": "1",
        "python": "3.11",
        "platform": "x",
        "packages": (package("numpy"), package("torch")),
        "torchvision": package("torchvision", "is not installed", None),
        "accelerator": "cuda",
        "devices": ("a GPU",),
        "cores": 2,
        "memory": 8.0,
        "free_disk": 9.0,
        "compiler": "/usr/bin/c++",
        "ninja": "/usr/bin/ninja",
        "surfaces": {"templates": "t", "training": "r", "eval": "e"},
    }
    return Environment(**{**sound, **changes})


def test_every_declared_dependency_says_what_it_is_for():
    names = {Requirement(line).name for line in declared_requirements()}
    assert names == CORE | set(NEEDED_FOR)


def test_a_module_that_fails_or_ends_the_process_does_not_hide_the_next(tmp_path, monkeypatch):
    (tmp_path / "killer.py").write_text("import os; os.abort()")
    (tmp_path / "leaver.py").write_text("import os; os._exit(0)")
    (tmp_path / "exiter.py").write_text("import sys; sys.exit('no')")
    (tmp_path / "noisy.py").write_text("print('{' * 100_000, end='')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ["json", "killer", "no_such_module", "leaver", "exiter", "noisy", "string"]
    fine, killer, missing, leaver, exiter, noisy, last = import_problems(names)
    assert (fine, noisy, last) == (None, None, None)
    assert killer.startswith("it ends the process with status -")
    assert leaver == "it ends the process with status 0"
    assert missing == "ModuleNotFoundError: No module named 'no_such_module'"
    assert exiter == "SystemExit: no"


@pytest.mark.parametrize(
    ("changes", "works", "says"),
    [
        ({}, True, "torchvision is not installed, which is fine"),
        (
            {"torchvision": package("torchvision", "cannot be imported (x)")},
            True,
            "pip uninstall torchvision",
        ),
        (
            {"packages": (package("torch", "is not installed", None),)},
            True,
            "torch is not installed. It is needed",
        ),
        ({"packages": (package("numpy", "cannot be imported (x)"),)}, False, "numpy cannot be imported (x)"),
        (
            {"surfaces": {"templates": None, "training": "r", "eval": "e"}},
            False,
            "folder templates was not found",
        ),
        ({"ninja": None}, True, "No ninja was found, which is fine"),
        ({"ninja": None, "compiler": None}, True, "No compiler and ninja was found"),
        ({"accelerator": "cpu"}, True, "No GPU was found"),
    ],
)
def test_what_is_missing_is_said_and_only_the_core_decides(changes, works, says):
    environment_found = found(**changes)
    assert environment_found.works is works
    assert any(says in sentence for sentence in advice(environment_found))


def test_versions_are_compared_with_what_is_asked_for():
    sound, old, absent = inspect_packages(["numpy>=1", "pyyaml>=999", "no-such-distribution"])
    assert sound.problem is None
    assert old.problem == f"is installed as {old.version}, where >=999 is asked for"
    assert (absent.version, absent.problem) == (None, "is not installed")
