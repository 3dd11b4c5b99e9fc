"""Before the processes start: what is refused or said, and what the launcher makes of what they tell."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import make_chains, make_pairs
from running import finish, small_recipe, start, write_recipe
from transformers import AutoConfig

from fakeinstruct.base.errors import ExitStatus, FakeInstructError, UsageError
from fakeinstruct.base.files import read_json, sha256_file, write_json
from fakeinstruct.expert.dry_run import dry_run
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.prepare import packable
from fakeinstruct.expert.process import load_model
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.show import show_labels
from fakeinstruct.expert.torchrun import how_to_go_on, last_words, lock, problem_of, track_steps


@pytest.fixture
def prepared(base_folder, pairs_folder, tmp_path, capsys):
    """Prepare a run and return its folder with what was printed."""

    def prepare(pairs=pairs_folder, base=base_folder, **sections):
        recipe = small_recipe(base, pairs, tmp_path / "run", **sections)
        train(recipe, start=False)
        return RunFolder(recipe.out), capsys.readouterr().err.replace("\n", " ")

    return prepare


def test_a_run_folder_is_prepared(prepared):
    run, printed = prepared()
    assert read_json(run.manifest)["counts"]["rows"] == 48
    assert run.rows.is_file()
    assert not run.expert.exists()
    assert "48 pairs of 16 images" in printed


def test_a_shard_that_changed_since_is_refused_before_anything_is_written(prepared, tmp_path):
    folder = make_pairs(tmp_path / "pairs")
    with (folder / "pairs-0.parquet").open("ab") as shard:
        shard.write(b" ")
    with pytest.raises(
        FakeInstructError, match=r"pairs-0\.parquet: is not the shard that manifest\.json names"
    ):
        prepared(pairs=folder)
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_images_that_are_not_there_are_named_before_anything_is_written(prepared, pairs_folder, tmp_path):
    with pytest.raises(UsageError, match=r"images is not there\. Give image_root=DIR"):
        prepared(image_root=str(tmp_path / "gone"))
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"none of 5 images looked at can be read.*Give image_root=DIR"):
        prepared(image_root=str(tmp_path / "other"))
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_another_image_root_reaches_a_prepared_run(prepared, pairs_folder, tmp_path):
    run, _ = prepared()
    before = read_json(run.manifest)
    shutil.copytree(pairs_folder / "images", tmp_path / "moved" / "images")
    _, printed = prepared(image_root=str(tmp_path / "moved"))
    assert f"images are now read from {tmp_path / 'moved'}" in printed
    assert read_json(run.manifest) == before | {"image_root": str(tmp_path / "moved")}
    _, printed = prepared()
    assert "images are now" not in printed
    assert read_json(run.manifest)["image_root"] == str(tmp_path / "moved")
    with pytest.raises(UsageError, match="Give image_root=DIR"):
        prepared(image_root=str(tmp_path / "gone"))
    assert read_json(run.manifest)["image_root"] == str(tmp_path / "moved")


def test_a_base_without_weights_is_refused(prepared, base_folder, tmp_path):
    base = shutil.copytree(base_folder, tmp_path / "base")
    (base / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"field base: has no weights \(model\.safetensors is missing\)"):
        prepared(base=base)
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    write_json(base / "model.safetensors.index.json", shards)
    (base / "model-1.safetensors").touch()
    with pytest.raises(UsageError, match=r"\(model-2\.safetensors is missing\)"):
        prepared(base=base)


def test_an_expert_that_learns_no_verdict_is_announced(prepared):
    _, printed = prepared(data={"templates": ["reasoning/turns"]})
    assert "no verdict is learned: score and detect will have no readout" in printed


def test_a_conversation_that_is_too_long_says_what_its_images_cost(prepared, tmp_path):
    with pytest.raises(FakeInstructError, match=r"16 of them are its images'\. Raise data\.max_tokens"):
        prepared(data={"max_tokens": 20})


def test_chains_for_evaluation_only_say_why(prepared, tmp_path):
    chains = make_chains(tmp_path / "chains", 4)
    meta = read_json(chains / "meta.json")
    write_json(chains / "meta.json", meta | {"evaluation_only": "a benchmark's own terms"})
    with pytest.raises(UsageError, match="may not be trained on: a benchmark's own terms"):
        prepared(pairs=chains)


def test_chains_are_not_pairs(prepared, tmp_path):
    with pytest.raises(UsageError, match=r"holds chains, not pairs\..*fakeinstruct expand"):
        prepared(pairs=make_chains(tmp_path / "chains", 4))


@pytest.mark.parametrize("look", [dry_run, lambda recipe: next(show_labels(recipe))])
def test_a_look_at_chains_says_the_same(look, base_folder, tmp_path):
    recipe = small_recipe(base_folder, make_chains(tmp_path / "chains", 4), tmp_path / "run")
    with pytest.raises(UsageError, match=r"holds chains, not pairs\..*fakeinstruct expand"):
        look(recipe)


def test_questions_without_answers_cannot_be_learned(prepared, tmp_path):
    """Items of an evaluation have no assistant's turn."""
    folder = make_pairs(tmp_path / "pairs")
    rows = pq.read_table(folder / "pairs-0.parquet").to_pylist()
    for row in rows:
        row["messages"] = row["messages"][:1]
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs-0.parquet")
    shards = {"pairs-0.parquet": sha256_file(folder / "pairs-0.parquet")}
    write_json(folder / "manifest.json", read_json(folder / "manifest.json") | {"shards": shards})
    with pytest.raises(FakeInstructError, match="assistant") as caught:
        prepared(pairs=folder)
    assert len(str(caught.value).splitlines()) == 1


def test_without_validation_pairs_it_says_so(prepared):
    run, printed = prepared(checkpoints={"choose": "validation"})
    assert "no verdicts in the validation split: the last checkpoint becomes the expert" in printed
    assert not run.validation.exists()


def test_a_tokenizer_without_the_image_token_is_refused(prepared, base_folder, tmp_path):
    base = shutil.copytree(base_folder, tmp_path / "base")
    file = base / "tokenizer.json"
    tokenizer = read_json(file)
    tokenizer["added_tokens"] = [
        token for token in tokenizer["added_tokens"] if token["content"] != "<image>"
    ]
    write_json(file, tokenizer)
    settings = read_json(base / "tokenizer_config.json")
    for name in ("additional_special_tokens", "extra_special_tokens", "added_tokens_decoder"):
        settings.pop(name, None)
    write_json(base / "tokenizer_config.json", settings)
    with pytest.raises(UsageError, match="image token"):
        prepared(base=base)


def test_a_processor_that_counts_other_image_tokens_is_refused(base_folder, tmp_path):
    base = shutil.copytree(base_folder, tmp_path / "base")
    file = base / "processor_config.json"
    write_json(file, read_json(file) | {"patch_size": 8})
    recipe = small_recipe(base, "p", "o")
    with pytest.raises(UsageError, match=r"the processor puts 4 tokens .* the model makes 16 features"):
        load_model(recipe, str(base), load_processor(base))


def test_an_adapter_whose_base_is_missing_is_refused_before_any_pair_is_read(prepared, tmp_path):
    adapter = tmp_path / "adapter"
    write_json(adapter / "adapter_config.json", {"base_model_name_or_path": "/nowhere/base"})
    with pytest.raises(UsageError, match="the adapter's base model '/nowhere/base' is missing"):
        prepared(base=adapter)


def test_a_folder_without_a_model_is_refused(pairs_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    recipe = small_recipe(tmp_path / "empty", pairs_folder, tmp_path / "run")
    for run in (train, dry_run, lambda recipe: next(show_labels(recipe))):
        with pytest.raises(UsageError, match=r"empty, field base: has no config\.json"):
            run(recipe)
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_not_here_and_no_network_is_one_line(prepared, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="is not on this machine and the hub cannot be reached"):
        prepared(base="somebody/model-7b")
    with pytest.raises(UsageError, match="is not on this machine and the hub cannot be reached"):
        load_processor("somebody/model-7b")


def test_a_model_that_cannot_be_packed_trains_row_by_row(tmp_path, capsys):
    config = AutoConfig.for_model("qwen3_5")
    config.save_pretrained(tmp_path)
    recipe = small_recipe(tmp_path, "p", "o")
    assert packable(recipe, str(tmp_path)) == recipe.model_copy(update={"packing": None})
    printed = capsys.readouterr().err.replace("\n", " ")
    assert "each pair is trained in a row of its own, not packed: of its" in printed
    assert "linear attention" in printed


def test_a_model_that_can_be_packed_is(base_folder, capsys):
    recipe = small_recipe(base_folder, "p", "o")
    assert packable(recipe, str(base_folder)) is recipe
    assert capsys.readouterr().err == ""


def test_adapters_that_differ_are_refused_before_the_first_stage(base_folder, pairs_folder, tmp_path):
    tune = {"method": "lora", "parts": ["language_model"], "lora": {"rank": 4, "alpha": 8}}
    stages = {"one": {"tune": tune}, "two": {"tune": tune | {"lora": {"rank": 8, "alpha": 8}}}}
    recipe = small_recipe(base_folder, pairs_folder, tmp_path / "run", stages=stages)
    for run in (train, dry_run):
        with pytest.raises(UsageError, match="'one' and 'two' have adapters that differ: rank 4, then 8"):
            run(recipe)
    assert not (tmp_path / "run").exists()


def test_messages_become_errors_of_their_kind(tmp_path):
    run = RunFolder(tmp_path)
    usage = problem_of({"error": "no", "status": ExitStatus.USAGE}, run)
    assert (type(usage), str(usage)) == (UsageError, "no")
    assert problem_of({"error": "no", "status": 1}, run).status == ExitStatus.NO_RESULT
    assert "train.log: a process failed: ValueError: x" in str(problem_of({"failure": "ValueError: x"}, run))
    assert problem_of({"step": 1, "of": 2}, run) is None


def test_every_message_passes_by_the_bar():
    early = [{"failure": "a"}, {"error": "b"}]
    assert list(track_steps(iter(early))) == early
    late = [{"step": 1, "of": 3}, {"step": 1, "of": 3, "loss": 2.0}, {"step": 2, "of": 3}, {"error": "b"}]
    assert list(track_steps(iter(late))) == [late[0], late[2], late[3]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it said nothing"),
        ("one\n\ntwo\n", "two"),
        ("ValueError: bad\ntraceback : Error\nend\n", "ValueError: bad"),
        ("x\n  exitcode  : -9 (pid: 7)\n", "killed by signal 9, as the kernel does when memory runs out"),
        ("x\n  exitcode  : -11 (pid: 7)\n", "killed by signal 11"),
    ],
)
def test_the_log_says_why_where_no_process_could(tmp_path, text, words):
    earlier = "KeyError: of an earlier start\n"
    (tmp_path / "train.log").write_text(earlier + text)
    assert last_words(tmp_path / "train.log", len(earlier)).endswith(words)


def test_a_folder_that_is_trained_in_is_locked(tmp_path):
    run = RunFolder(tmp_path)
    with run.log.open("ab") as mine, run.log.open("ab") as other:
        lock(mine, run)
        with pytest.raises(UsageError, match="is being trained in by another process"):
            lock(other, run)
    with run.log.open("ab") as later:
        lock(later, run)


def test_a_user_who_stops_is_told_where_it_goes_on(tmp_path):
    assert "begins anew" in how_to_go_on(RunFolder(tmp_path))


def test_the_command_line_says_how_a_prepared_run_is_started(base_folder, pairs_folder, tmp_path):
    file = write_recipe(small_recipe(base_folder, pairs_folder, tmp_path / "run"), tmp_path / "recipe.yaml")
    status, printed, said = finish(start(file, "--prepare"))
    assert status == 0, said
    assert printed.startswith(
        f"prepared: {tmp_path / 'run'}; start it with the same command without --prepare"
    )
    status, _, said = finish(start(file, "--prepare", "--dry-run"))
    assert (status, "are three things" in said) == (2, True)
