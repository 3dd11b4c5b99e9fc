"""Files that are missing, damaged, changed, or not of the size that chains state."""

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import sha256_file
from fakeinstruct.measure.audit.files import files_section
from fakeinstruct.measure.audit.look import draw, look_at

from .looked import chain, chain_set, finding, patches, table


def stored(folder, n=6):
    chains = []
    for number in range(n):
        patches(number).save(folder / f"{number}.png")
        image = {"width": 48, "height": 48, "sha256": sha256_file(folder / f"{number}.png")}
        chains.append(chain(number, image=image))
    return chain_set(folder, chains)


def section_of(chains, rejects=None):
    return files_section(look_at(chains, list(chains.read())), rejects or Rejects())


def test_sound_files_give_no_finding(tmp_path):
    section = section_of(stored(tmp_path))
    assert section.findings == section.tables == ()
    assert section.summary == "6 of 6 image files were read and decoded."


def test_missing_and_damaged_files_are_counted_by_reason(tmp_path):
    chains = stored(tmp_path)
    (tmp_path / "0.png").unlink()
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:400])
    (tmp_path / "2.png").write_bytes(b"not a picture")
    section = section_of(chains)
    found = finding(section, "3 of 6 image files are missing or cannot be read")
    assert found.level == "problem"
    assert found.detail.startswith("2 fake, 1 real.")
    rows = table(section, "Why files could not be read")
    assert rows["image file is missing"] == (1, 0)
    assert rows["image is truncated or damaged"] == (0, 1)
    assert str(tmp_path) not in section.model_dump_json()


def test_a_size_that_is_not_the_stated_one(tmp_path):
    chains = stored(tmp_path)
    patches(3, (64, 48)).save(tmp_path / "3.png")
    section = section_of(chains)
    assert finding(section, "1 images are not of the size").examples[0].image == "3.png"
    assert finding(section, "1 image files have changed").level == "warning"


def test_a_path_that_leaves_the_root_is_not_followed(tmp_path):
    patches(0).save(tmp_path / "outside.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/link.png").symlink_to(tmp_path / "outside.png")
    patches(1).save(tmp_path / "set/1.png")
    chains = chain_set(tmp_path / "set", [chain(0, path="link.png"), chain(1)])
    assert finding(section_of(chains), "1 of 2 image files are missing or cannot be read")


def test_a_set_imported_without_images_says_so(tmp_path):
    section = section_of(chain_set(tmp_path, [chain(n) for n in range(4)]))
    assert "no image under the image root" in section.skipped
    assert section.findings == ()


def test_unsound_records_are_a_finding(tmp_path):
    rejects = Rejects()
    rejects.add(RecordError("must be 'fake' or 'real'", record=7, field="label"))
    found = finding(section_of(stored(tmp_path), rejects), "1 records are no sound chains")
    assert found.examples[0].text == "record 7, field label: must be 'fake' or 'real'"


def test_a_draw_keeps_groups_and_order_and_depends_on_the_seed_alone():
    chains = [chain(n, group=f"g{n // 4}") for n in range(400)]
    drawn = draw(chains, 0, 40)
    assert [each.id for each in drawn] == [each.id for each in chains if each in drawn]
    assert len(drawn) == 40
    assert len({each.group for each in drawn}) == 10
    assert drawn == draw(chains, 0, 40) != draw(chains, 1, 40)
    assert draw(reversed(chains), 0, 40)[::-1] == drawn
    assert draw(chains, 0, 400) == chains
