"""`fakeinstruct import`: published annotations -> chain set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakeinstruct.base.errors import Rejects, printable
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import MaxRejects, Out, close

if TYPE_CHECKING:
    from fakeinstruct.chains.importers import ImportSummary


def import_chains(
    format: Annotated[str, typer.Argument(help="Format of the source; see above.", show_default=False)],
    src: Annotated[
        Path, typer.Argument(help="A folder, a .zip file, or an annotation file.", show_default=False)
    ],
    out: Out,
    image_root: Annotated[
        Path | None,
        typer.Option("--image-root", help="Where the images lie.  [default: in the source, beside the file]"),
    ] = None,
    without_images: Annotated[
        bool,
        typer.Option("--without-images", help="Read no image; what needs its size or pixels is rejected."),
    ] = False,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Name of the set.  [default: the source's name]")
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            "--validation",
            help="Share for validation if no published split is it.  [default: 0.1, or what --test leaves]",
            max=0.5,
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(
            "--test",
            help="Share for test if no split is published; 1 to measure on all.  [default: 0.1]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same splits.", min=0)] = 0,
    fake: Annotated[
        list[str] | None,
        typer.Option(
            "--fake",
            help="imagefolder: a class folder that holds fakes; repeatable. Of several each is a generator.",
        ),
    ] = None,
    real: Annotated[
        list[str] | None,
        typer.Option(
            "--real", help="imagefolder: a class folder of real images; xaigd: a generator of them."
        ),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option("--generator", help="imagefolder: generator of all fakes, whatever folders are called."),
    ] = None,
    camera_set: Annotated[
        str | None, typer.Option("--camera-set", help="imagefolder: source of all real images, if known.")
    ] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            "--hold-out",
            help="Content that train and validation split are to lack; repeatable. The test split keeps it, and "
            "'evaluate EXPERT cifake' reports it apart from what was seen in training.",
        ),
    ] = None,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count everything, write nothing.")
    ] = False,
) -> None:
    """Import published annotations as a chain set.

    **Formats**

    - `imagefolder`: class folders `REAL`/`FAKE`, `0_real`/`1_fake`, `nature`/`ai`, or those that you name
    - `cifake`: CIFAKE, with the class that a file's name states
    - `generators`: a folder a generator, with its own real images: GenImage, UniversalFakeDetect, CNNDetection
    - `llava`: LLaVA's JSON with explanations in free English; true/false benchmarks of the same form
    - `fakeclue`: FakeClue (FakeVLM)
    - `mmfr`: MMFR (FakeReasoning), attributes by path and chains of reasoning
    - `loki`: LOKI, open questions with boxes, and true/false questions
    - `fakebench`: FakeBench, for evaluation only
    - `synthscars`: SynthScars (LEGION), sentences with polygons
    - `fakexplained`: FakeXplained, and ms-swift's grounding rows, with boxes
    - `sida`: SIDA, real, generated and tampered images with masks
    - `xaigd`: X-AIGD, artifacts with polygons, and paired real images
    - `sofake`: So-Fake, verdicts with a box

    What a folder, a number or a box means is never guessed: docs/formats.md says what each format's mean, and a
    record that contradicts itself is rejected. Images of a folder stay where they are, those of a zip file are
    unpacked into the chain set.

    **Examples**

    `fakeinstruct import cifake cifake.zip --out chains/cifake`

    `fakeinstruct import cifake cifake.zip --out chains/five --hold-out dog --hold-out frog`

    `fakeinstruct import imagefolder photos --out chains/mine --real camera --fake midjourney --fake flux`

    `fakeinstruct import imagefolder photos --out chains/all-test --test 1`

    `fakeinstruct import loki open_ended_vqa.json --out chains/loki --image-root media_data`

    `fakeinstruct import fakebench FakeBench --out chains/fakebench --without-images`
    """
    from fakeinstruct.chains.importers import import_chains as run

    given = {"fake": fake, "real": real, "generator": generator, "camera_set": camera_set}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    rejects = Rejects(max_rejects)
    summary = run(
        format,
        src,
        out,
        image_root=image_root,
        without_images=without_images,
        validation=validation,
        test=test,
        seed=seed,
        rejects=rejects,
        dataset=dataset,
        hold_out=hold_out or (),
        dry_run=dry_run,
        **options,
    )
    _print(summary)
    print("dry run: nothing was written" if dry_run else _written(summary, out))
    close(rejects, None if dry_run else out)


def _print(summary: ImportSummary) -> None:
    from fakeinstruct.cli.tables import print_counts

    print_counts(summary.counts)
    if summary.ignored:
        files = "file that is" if summary.ignored == 1 else "files that are"
        console.print(f"ignored {summary.ignored:,} {files} not of the format", markup=False, highlight=False)
    for remark in summary.remarks:
        console.print(f"note: {printable(remark)}", markup=False, highlight=False)


def _written(summary: ImportSummary, out: Path) -> str:
    items = f" and {summary.items:,} evaluation items" if summary.items else ""
    return f"{summary.chains:,} chains{items} in {out}"
