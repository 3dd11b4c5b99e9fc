"""Pages: escaped, whole, and with pictures of the size asked for."""

import base64
import io

import pytest
from jinja2 import UndefinedError
from PIL import Image

from fakeinstruct.base.page import data_uri, environment, number

PACKAGES = ("fakeinstruct.measure", "fakeinstruct.measure.audit", "fakeinstruct.expand.card")


def opened(uri):
    kind, _, data = uri.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{image.format.lower()}"
    return image


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_of_pages_finds_the_shared_look(package):
    text = environment(package).from_string('{% include "page.css.jinja" %}').render()
    assert "prefers-color-scheme:dark" in text
    assert "page.css" not in text


def test_what_comes_from_data_is_escaped_and_what_is_missing_an_error():
    said = "{{ said }}"
    assert environment(PACKAGES[0]).from_string(said).render(said="<b>") == "&lt;b&gt;"
    assert environment(PACKAGES[0], escape=False).from_string(said).render(said="<b>") == "<b>"
    with pytest.raises(UndefinedError):
        environment(PACKAGES[0]).from_string(said).render()


def test_figures_for_people():
    assert [number(None), number(12345), number(0.12345), number(0.12345, 4)] == [
        "–",
        "12,345",
        "0.123",
        "0.1235",
    ]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((400, 200), (100, 50)), ((30, 15), (90, 45)), ((100, 3), (100, 3)), ((60, 60), (60, 60))],
)
def test_a_picture_is_shrunk_or_enlarged_by_a_whole_factor(size, shown):
    picture = Image.new("RGB", size, "navy")
    image = opened(data_uri(picture, 100))
    assert image.size == shown
    assert image.getpixel((0, 0)) == (0, 0, 128)
    assert picture.size == size  # the caller's is left as it was
    assert opened(data_uri(picture, 100, "JPEG")).size == shown
