"""The page: whole, safe, bounded, and worst first."""

import re

import numpy as np
from pages import Page
from PIL import Image

from fakeinstruct.measure.audit.finding import Audit, Example, Finding, Section, Table
from fakeinstruct.measure.audit.report import PICTURES, ROWS, render

HOSTILE = '<script>alert(1)</script>" onload="x & y {{ 7*7 }} \u202e'


def audit(*findings, tables=(), skipped=None, source="x"):
    section = Section(name="S", summary="asked", findings=findings, tables=tables, skipped=skipped)
    return Audit(kind="chains", source=source, n=3, seed=0, sections=(section,), versions={"numpy": "2"})


def finding(level="problem", title="T", **other):
    return Finding(level=level, title=title, detail="D", **other)


def shown(count, folder="."):
    return tuple(Example(text=f"e{i}", label="fake", image=f"{folder}/{i}.png") for i in range(count))


def draw(folder, count, size=(40, 30)):
    for number in range(count):
        Image.fromarray(np.full((*size[::-1], 3), number % 256, np.uint8)).save(folder / f"{number}.png")


def test_the_page_stands_on_its_own_and_is_whole(tmp_path):
    draw(tmp_path, 2)
    table = Table(title="t", columns=("a", "b"), rows=(("x", 1.5), ("y", None)))
    text = render(audit(finding(examples=shown(2)), finding("note"), tables=(table,)), tmp_path)
    page = Page(text)
    assert page.open == []
    assert len(page.addresses) == 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"@import|url\(", text)
    assert "prefers-color-scheme:dark" in text


def test_whatever_comes_from_data_is_escaped():
    table = Table(title=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),))
    example = Example(text=HOSTILE, label=HOSTILE, image=HOSTILE)
    found = finding(title=HOSTILE, hint=HOSTILE, examples=(example,))
    text = render(audit(found, tables=(table,), skipped=HOSTILE, source=HOSTILE), None)
    assert Page(text).open == []
    assert "<script" not in text
    assert 'onload="' not in text
    assert "{{ 7*7 }}" in text
    assert text.count("&lt;script&gt;") >= 9


def test_problems_stand_before_warnings_and_tables(tmp_path):
    table = Table(title="figures", columns=("a",), rows=())
    text = render(
        audit(
            finding("note", "third"), finding("warning", "second"), finding(title="first"), tables=(table,)
        ),
        None,
    )
    places = [text.index(word) for word in (">first", ">second", ">third", ">figures")]
    assert places == sorted(places)


def test_a_missing_hostile_or_unknown_picture_is_said(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = ("gone.png", "../secret.png", "/etc/passwd", "bad.png")
    text = render(audit(finding(examples=tuple(Example(text="e", image=name) for name in names))), tmp_path)
    assert "image file is missing" in text
    assert text.count("leaves the image root") == 2
    assert "is not an image" in text
    assert str(tmp_path) not in text
    assert "it is not known where the picture lies" in render(audit(finding(examples=shown(1))), None)


def test_pictures_are_small_and_bounded_in_number(tmp_path):
    draw(tmp_path, PICTURES + 5, size=(900, 700))
    text = render(audit(finding(examples=shown(PICTURES + 5))), tmp_path)
    assert text.count("data:image/jpeg") == PICTURES
    assert text.count("the page holds enough") == 5
    assert len(text) < 300_000


def test_long_tables_are_cut_and_say_so():
    table = Table(title="t", columns=("a",), rows=tuple((f"row {i}",) for i in range(ROWS + 7)))
    text = render(audit(tables=(table,)), None)
    assert f"row {ROWS - 1}<" in text
    assert f"row {ROWS}<" not in text
    assert "7 more rows" in text


def test_what_was_not_done_and_what_was_clean_is_said():
    assert "Not done:" in render(audit(skipped="no images"), None)
    clean = render(audit(), None)
    assert "Nothing was found." in clean
    assert "Problems</h2>" not in clean


def test_cells_are_for_people():
    table = Table(title="t", columns=("a", "b", "c", "d", "e"), rows=(("x", 12345, 0.5, 3e-7, None),))
    text = render(audit(tables=(table,)), None)
    assert all(f">{cell}<" in text for cell in ("12,345", "0.500", "3e-07", "–"))


def test_numbers_never_wrap_and_reasons_stand_below_the_table():
    reason = "a: 18 images of a label are too few."
    row = ("a", 1234, None, "0.123 – 0.987", "a text of more than twenty-four characters")
    text = render(
        audit(tables=(Table(title="t", columns=tuple("abcde"), rows=(row,), missing=(reason,)),)), None
    )
    assert "table.data td, table.data thead th { white-space:nowrap; }" in text
    assert "<td>1,234</td>" in text
    assert "<td>0.123 – 0.987</td>" in text
    assert '<td class="words">a text of more' in text
    assert text.index("</table>") < text.index(reason)
