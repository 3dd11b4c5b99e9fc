import pytest

from fakeinstruct.base import surfaces
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.surfaces import surface


@pytest.mark.parametrize("name", ["templates", "training", "eval"])
def test_this_installation_has_all_surfaces_with_something_in_them(name):
    assert any(path.is_file() for path in surface(name).rglob("*"))


def test_the_package_folder_comes_before_its_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(surfaces, "PACKAGE", tmp_path / "fakeinstruct")
    with pytest.raises(FakeInstructError, match="no folder 'eval'"):
        surface("eval")
    (tmp_path / "eval").mkdir()
    assert surface("eval") == tmp_path / "eval"
    (tmp_path / "fakeinstruct" / "eval").mkdir(parents=True)
    assert surface("eval") == tmp_path / "fakeinstruct" / "eval"
