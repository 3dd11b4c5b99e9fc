"""Safe reading of untrusted images: paths that stay under their root, named formats, bounded size."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath

from PIL import Image, ImageOps, UnidentifiedImageError

from fakeinstruct.base.boxes import Fractions, to_pixels
from fakeinstruct.base.errors import RecordError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Formats that Pillow is allowed to open; none of them starts another program or reads another file."""

MAX_PIXELS = 100_000_000
"""Largest image read, in pixels: twice a 50-megapixel camera, a quarter of a 20,000 x 20,000 bomb."""


class MissingImageError(RecordError):
    """There is no image file of this name; the record may mean another."""


def resolve_under(root: str | Path, relative: str) -> Path:
    """The file that a record's image path names, if it lies under the root, symbolic links followed.

    Args:
        root: The image root.
        relative: Path with forward slashes, relative to the root.

    Raises:
        RecordError: If the path is absolute, climbs out, or a symbolic link leads out of the root.
    """
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or "\\" in relative or "\0" in relative:
        raise RecordError(
            f"image path {relative!r} leaves the image root",
            field="image.path",
            hint="Paths are relative to the image root, without '..'; see --image-root.",
        )
    base = Path(root).resolve()
    try:
        full = (base / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise RecordError(
            f"image path {relative!r} cannot be resolved ({error})", field="image.path"
        ) from error
    if not full.is_relative_to(base):
        raise RecordError(
            f"image path {relative!r} is a symbolic link that leaves the image root",
            field="image.path",
            hint="Copy the image under the root, or name the folder it lies in as --image-root.",
        )
    return full


def _open(path: Path) -> Image.Image:
    """Open without decoding, after the checks that need no pixels."""
    try:
        other = path.exists() and not path.is_file()
    except OSError as error:  # a name that no file can have
        raise RecordError(f"image cannot be opened ({error.strerror})", field="image.path") from error
    if other:  # opening a named pipe would wait for ever
        raise RecordError("is not a file", file=path, field="image.path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise MissingImageError("image file is missing", file=path, field="image.path") from None
    except UnidentifiedImageError:
        raise RecordError(
            f"is not an image in a format that is read ({', '.join(FORMATS)})", file=path, field="image.path"
        ) from None
    except Image.DecompressionBombError as error:
        raise RecordError(
            f"image is too large ({error})", file=path, field="image.path", hint="Scale it down first."
        ) from None
    except Exception as error:  # Pillow's parsers raise nearly anything on hostile bytes
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordError(f"image cannot be opened ({reason})", file=path, field="image.path") from error
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        image.close()
        raise RecordError(
            f"image is too large ({size}, more than {MAX_PIXELS:,} pixels)",
            file=path,
            field="image.path",
            hint="Scale it down first.",
        )
    return image


def open_header(path: str | Path) -> Image.Image:
    """Open an image and read its header, not its pixels; close it after use, by ``with``.

    Raises:
        RecordError: As `load_image`, except for damage that shows only when decoding.
    """
    return _open(Path(path))


def upright_rgb(image: Image.Image) -> Image.Image:
    """An image as everything here sees it: orientation tag applied, 8-bit RGB, transparency dropped.

    Of 16 bits it keeps the upper 8, where Pillow's own conversion clips nearly everything to white.

    Raises:
        RecordError: If what its pixels mean is not defined.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode in ("I", "F"):
        raise RecordError(
            f"image has pixels of kind '{image.mode}', whose white is not defined",
            field="image.path",
            hint="Save it with 8 bits a channel.",
        )
    return image.convert("RGB")


def load_image(path: str | Path) -> Image.Image:
    """Read an image as RGB: orientation tag applied, transparency dropped, the first of several frames.

    Raises:
        RecordError: If the file is missing, truncated, not an image, of another format, or too large.
    """
    path = Path(path)
    with _open(path) as image:
        try:
            return upright_rgb(image)
        except RecordError as error:
            raise error.located(file=path) from None
        except Exception as error:  # see _open
            raise RecordError(
                f"image is truncated or damaged ({error})", file=path, field="image.path"
            ) from error


def crop_image(image: Image.Image, box: Fractions) -> Image.Image:
    """The part of an image within a box, at least one pixel wide and high."""
    x0, y0, x1, y1 = to_pixels(box, image.width, image.height)
    left, upper = min(x0, image.width - 1), min(y0, image.height - 1)
    return image.crop((left, upper, max(x1, left + 1), max(y1, upper + 1)))


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels, orientation applied, without decoding the pixels.

    Raises:
        RecordError: As `load_image`, except for damage that shows only when decoding.
    """
    path = Path(path)
    with _open(path) as image:
        try:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        except Exception as error:  # see _open
            raise RecordError(
                f"image has damaged EXIF data ({error})", file=path, field="image.path"
            ) from error
        return (image.height, image.width) if turned else (image.width, image.height)
