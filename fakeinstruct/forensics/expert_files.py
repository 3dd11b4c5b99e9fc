"""Which files an expert is: a folder or a model on the hub, the base under an adapter, and the hashes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import fingerprint, read_json, sha256_file
from fakeinstruct.expert.base_model import ADAPTER, adapted_base, is_adapter, loading

LOADED = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
"""Files of a model on the hub that are needed; other formats of its weights are not."""

PROCESSOR = (
    "processor_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
"""Files that a processor may consist of."""


def expert_folder(name: str | Path) -> Path:
    """The folder of an expert: as it was given, or where the hub's client keeps a model of that name.

    Raises:
        UsageError: If there is no such folder, and no such model on this machine or the hub.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if str(name).count("/") != 1 or str(name).startswith((".", "/", "~")):
        raise UsageError("no such expert folder", file=name)
    return _from_hub(str(name))


def _from_hub(name: str) -> Path:
    """Where the files of a model on the hub lie, fetched first if they are not here and the hub can be reached."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError

    try:
        with loading(name):
            return Path(snapshot_download(name, allow_patterns=LOADED, ignore_patterns=["*/*"]))
    except UsageError as error:  # worded for a recipe
        raise UsageError(
            error.problem, file=name, hint=f"Download it: hf download {name}, or give a folder."
        ) from error
    except GatedRepoError as error:
        raise UsageError(
            "may only be fetched by those who accepted its terms",
            file=name,
            hint="Accept them on its page, then: hf auth login.",
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise UsageError(
            "is neither a folder nor a model that the hub knows",
            file=name,
            hint="Look for a misspelling; a private model needs: hf auth login.",
        ) from error


def base_folder(folder: Path) -> Path:
    """The folder with the whole model: the expert's own, or that of the base under its adapter."""
    under = adapted_base(str(folder))
    return folder if under is None else expert_folder(under)


def processor_folder(folder: Path) -> Path:
    """The folder with the processor: the expert's own if it has one, else its base's."""
    if not is_adapter(str(folder)) or any((folder / name).is_file() for name in PROCESSOR):
        return folder
    return base_folder(folder)


def check_files(folder: Path) -> None:
    """See that a folder holds a model's configuration and weights.

    Raises:
        UsageError: If not.
    """
    if not ((folder / "config.json").is_file() or is_adapter(str(folder))):
        raise UsageError(
            "is not an expert: it has no config.json",
            file=folder,
            hint="'fakeinstruct train' writes experts to RUN/expert; any model in Hugging Face's format is one.",
        )
    if not list(folder.glob("*.safetensors")):
        pickled = next(folder.glob("*.bin"), None)
        hint = "Was the folder copied whole?"
        if pickled:
            hint = f"{pickled.name} may run code when it is opened, and is not: convert the model to safetensors."
        raise UsageError("has no weights (*.safetensors)", file=folder, hint=hint)


def check_architecture(folder: Path) -> None:
    """See that a folder's model takes pictures and writes text, by code that Transformers itself brings.

    Raises:
        UsageError: If not.
    """
    from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, __version__

    file = folder / "config.json"
    config: Any = read_json(file)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str):
        raise UsageError("names no model type", file=file, field="model_type")
    if kind in CONFIG_MAPPING:
        if CONFIG_MAPPING[kind] not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise UsageError(
                f"a '{kind}' model does not take a picture and write text",
                file=file,
                field="model_type",
                hint="Give a vision-language model, for example of the types llava, qwen2_5_vl or smolvlm.",
            )
        return
    if "auto_map" in config:
        raise UsageError(
            f"the model '{kind}' comes with code of its own (trust_remote_code), which is not run",
            file=file,
            field="auto_map",
            hint="Take its version for Transformers, whose name often ends in -hf, or serve it and give the "
            "server's address.",
        )
    raise UsageError(
        f"Transformers {__version__} knows no models of type '{kind}'",
        file=file,
        field="model_type",
        hint="Install the version that the model's page names.",
    )


def expert_sha256(folder: Path) -> str:
    """A hash of everything in an expert's folder that an answer depends on: weights and configuration.

    That of an adapter covers its base as well.
    """
    files = [*folder.glob("*.safetensors"), folder / "config.json", folder / ADAPTER]
    hashes = {file.name: sha256_file(file) for file in sorted(files) if file.is_file()}
    if is_adapter(str(folder)):
        hashes["base"] = expert_sha256(base_folder(folder))
    return fingerprint(hashes)


def processor_sha256(folder: Path) -> str:
    """A hash of the processor's files: tokenizer, image processor, chat template."""
    files = [processor_folder(folder) / name for name in PROCESSOR]
    return fingerprint({file.name: sha256_file(file) for file in files if file.is_file()})


def first_line(error: Exception) -> str:
    """What an exception of another library says, in one line."""
    if isinstance(error, FakeInstructError):
        return error.problem
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
