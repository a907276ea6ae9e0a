"""What clients would get of recorded answers, parsed by the vendors' own types.

`tests/recordings.rs` writes it into the folder that CONDUIT_TRANSLATED names.
"""

import json
import os
import pathlib

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai import types as genai
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

FOLDER = os.environ.get("CONDUIT_TRANSLATED")

pytestmark = pytest.mark.skipif(not FOLDER, reason="CONDUIT_TRANSLATED is not set")

WHOLE = {
    "chat": TypeAdapter(ChatCompletion),
    "responses": TypeAdapter(Response),
    "messages": TypeAdapter(Message),
    "gemini": TypeAdapter(genai.GenerateContentResponse),
}
EVENT = {
    "chat": TypeAdapter(ChatCompletionChunk),
    "responses": TypeAdapter(ResponseStreamEvent),
    "messages": TypeAdapter(RawMessageStreamEvent),
    "gemini": TypeAdapter(genai.GenerateContentResponse),
}


def lines(name):
    file = pathlib.Path(FOLDER) / f"{name}.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(found) > 40, f"{file} has {len(found)} lines only"
    return found


def events(body):
    """(name, data) of each event; the stream must end with a blank line."""
    assert body.endswith("\n\n")
    for block in body.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            yield fields.get("event", ""), fields["data"]


def parse(adapter, text):
    # `strict` refuses what the SDK would have to convert; JSON has no tuples, dates or bytes, so the mode is JSON's.
    return adapter.validate_json(text)


@pytest.mark.parametrize("client", WHOLE)
def test_answers(client):
    wrong = []
    for line in (line for line in lines("answers") if line["client"] == client):
        try:
            parse(WHOLE[client], line["body"])
        except ValueError as why:
            wrong.append(f"{line['id']}: {why}\n{line['body'][:600]}")
    assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(wrong[:5])


@pytest.mark.parametrize("client", EVENT)
def test_streams(client):
    wrong = []
    for line in (line for line in lines("streams") if line["client"] == client):
        last = None
        for name, data in events(line["body"]):
            last = (name, data)
            if data == "[DONE]" or name in ("error", "ping") or '"error":{' in data[:12]:
                continue
            try:
                parse(EVENT[client], data)
            except ValueError as why:
                wrong.append(f"{line['id']}: {why}\n{data[:600]}")
                break
        if not ended(client, *last):
            wrong.append(f"{line['id']}: ends with {last}")
    assert not wrong, f"{len(wrong)} streams:\n" + "\n".join(wrong[:5])


def ended(client, name, data):
    """Whether a stream's last event is one that ends it."""
    if client == "chat":
        return data == "[DONE]"
    if client == "responses":
        return name in ("response.completed", "response.incomplete", "response.failed", "error")
    if client == "messages":
        return name in ("message_stop", "error")
    return "finishReason" in data or "error" in data or "usageMetadata" in data


@pytest.mark.parametrize("client", WHOLE)
def test_errors(client):
    for line in (line for line in lines("errors") if line["client"] == client):
        body = json.loads(line["body"])
        assert body["error"]["message"]
        if client == "messages":
            assert body["type"] == "error" and body["error"]["type"].endswith("_error")
