"""Servers that others wrote: `transformers serve`, which tells no log-probabilities, and vLLM, which does."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import httpx2
import pytest
from drawn import make_chains

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.cli.main import run
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import open_expert, open_server

SERVE = """
import sys
import fakeinstruct.expert.vision  # the small expert's own tower
from transformers.cli.serve import Serve
Serve(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]), device="cpu")
"""


def absent(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


@contextmanager
def running(command, port, log, *, seconds):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (
        log.open("wb") as said,
        subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            deadline = time.monotonic() + seconds
            while not is_up(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def is_up(port):
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@absent("fastapi", "uvicorn", "openai")
def test_transformers_serve_tells_no_log_probabilities_and_is_refused(
    expert_folder, chains_folder, tmp_path, monkeypatch, capsys
):
    port, out = free_port(), tmp_path / "answers"
    command = [sys.executable, "-c", SERVE, str(expert_folder), str(port)]
    with running(command, port, tmp_path / "log", seconds=100) as url:
        with pytest.raises(
            UsageError, match=r"returns no log-probabilities \(its answers have none\).*vLLM or SGLang"
        ):
            open_server(url, str(expert_folder))
        with pytest.raises(UsageError, match=r"answered 400.*pinned"):
            open_server(url, "another")
        arguments = [
            "score",
            url,
            str(chains_folder),
            "--model",
            str(expert_folder),
            "--protocol",
            "zero-shot",
        ]
        monkeypatch.setattr(sys, "argv", ["fakeinstruct", *arguments, "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            run()
    assert ended.value.code == 2
    assert f"\nerror: {url}: returns no log-probabilities" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
@absent("vllm")
def test_vllm_tells_the_margins_of_the_model_in_memory(tmp_path):
    from foreign import PROMPTS, write_foreign

    folder, chains = write_foreign("llava", tmp_path / "model"), make_chains(tmp_path / "chains", 10)
    prompt, fake, real = PROMPTS[0]
    readout = Readout(name="served", prompt=prompt, fake=fake[:1], real=real[:1])
    protocol = Protocol(readouts=(readout,), splits=("train", "validation", "test"), prior=False)
    port = free_port()
    command = [
        shutil.which("vllm") or "vllm",
        "serve",
        str(folder),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
    ]
    command += ["--dtype", "float32", "--enforce-eager", "--max-logprobs", "100", "--max-model-len", "512"]
    own = score(open_expert(folder), open_chains(chains), tmp_path / "own", protocol).table().to_pylist()
    with running(command, port, tmp_path / "log", seconds=600) as url:
        server = replace(
            open_server(url), top=1000
        )  # of random weights no word is among the likeliest twenty
        rows = score(server, open_chains(chains), tmp_path / "served", protocol).table().to_pylist()
    margins = {row["item"]: row["margin"] for row in rows}
    assert all(margins[row["item"]] == pytest.approx(row["margin"], abs=0.01) for row in own)
