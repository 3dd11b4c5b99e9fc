"""A small server on loopback that speaks the OpenAI API: a real model behind real HTTP, and faults on request."""

from __future__ import annotations

import base64
import io
import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from PIL import Image
from serving import running

from fakeinstruct.forensics.expert import load_expert


class Loopback(ThreadingHTTPServer):
    """Serves an expert. `fault(number, body)` may return (status, body, headers) instead of an answer."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, expert, *, port=0, cap=20, fault=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.expert, self.cap, self.fault = expert, cap, fault
        self.bodies = []
        self.sent = []  # headers
        self.answered = []  # what was answered with success, as (question, picture)
        self.lock = threading.Lock()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, body):
        """One greedy answer with the log-probabilities of its places."""
        processor, model = self.expert.processor, self.expert.model
        messages = [hugging_face(turn) for turn in body["messages"]]
        pictures = [read_picture(url) for turn in body["messages"] for url in pictures_of(turn)]
        text = processor.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=body.get("add_generation_prompt", True),
            continue_final_message=body.get("continue_final_message", False),
        )
        inputs = processor(text=text, images=pictures or None, return_tensors="pt", add_special_tokens=False)
        with self.lock, torch.inference_mode():
            written = model.generate(
                **inputs,
                max_new_tokens=body["max_tokens"],
                do_sample=False,
                return_dict_in_generate=True,
                output_logits=True,
            )
        ids = written.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        places = [
            self.place(token, logits[0].float().log_softmax(-1), body)
            for token, logits in zip(ids, written.logits, strict=True)
        ]
        content = processor.tokenizer.decode(ids, skip_special_tokens=True)
        return {"choices": [{"message": {"content": content}, "logprobs": {"content": places}}]}

    def place(self, token, logprobs, body):
        top = [self.token(int(i), logprobs) for i in logprobs.topk(body["top_logprobs"]).indices]
        return {**self.token(token, logprobs), "top_logprobs": top}

    def token(self, number, logprobs):
        text = self.expert.processor.tokenizer.convert_ids_to_tokens(number).replace("▁", " ")
        return {"token": text, "logprob": float(logprobs[number])}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "small", "object": "model"}]})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if len(raw) < int(self.headers["Content-Length"]):  # the other side was interrupted
            self.close_connection = True
            return
        body = json.loads(raw)
        server = self.server
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.sent.append(dict(self.headers))
        fault = server.fault(number, body) if server.fault else None
        if fault == "hang up":
            self.close_connection = True
            return
        if fault:
            self.reply(*fault)
        elif body.get("top_logprobs", 0) > server.cap:
            self.reply(400, {"error": {"message": f"top_logprobs must be at most {server.cap}"}})
        else:
            answer = server.answer(body)
            server.answered.append(key_of(body))
            self.reply(200, answer)

    def reply(self, status, body, headers=()):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


def hugging_face(turn):
    if isinstance(turn["content"], str):
        return {"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]}
    blocks = [{"type": "image"} if block["type"] == "image_url" else block for block in turn["content"]]
    return {"role": turn["role"], "content": blocks}


def pictures_of(turn):
    blocks = turn["content"] if isinstance(turn["content"], list) else []
    return [block["image_url"]["url"] for block in blocks if block["type"] == "image_url"]


def read_picture(url):
    return Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))).convert("RGB")


def key_of(body):
    """What tells a question from all others: its words and its picture."""
    turn = body["messages"][0]
    return json.dumps([hugging_face(turn), pictures_of(turn)])


def served_expert(folder):
    """The untrained expert of a folder, made to answer with the label words as a trained one does."""
    expert = load_expert(folder)
    old = expert.model.lm_head
    head = torch.nn.Linear(old.in_features, old.out_features)
    head.weight.data = old.weight.data.clone()
    head.bias.data.zero_()
    for word in ("▁fake", "▁real"):
        head.bias.data[expert.processor.tokenizer.convert_tokens_to_ids(word)] = 6.0
    expert.model.lm_head = head
    return expert


@contextmanager
def serve(expert, **options):
    server = Loopback(expert, **options)
    with running(server):
        yield server
