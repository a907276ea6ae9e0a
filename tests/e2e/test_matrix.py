"""Every client format to every provider: `test_CLIENT_to_PROVIDER[what]`.

The mock refuses what the vendor would refuse, so a request that was translated wrongly fails there; the SDK refuses
answers that are not of its format.
"""

import base64
import json
import zlib

import pytest

from clients import CLIENT_KEY, CLIENTS, Ask, picture, results, user
from node_clients import NODE_CLIENTS, Node, NodeClient
from targets import OTHERS, KEYS, TARGETS, fingerprint, system_of

WORDS = "The quick brown fox jumps over the lazy dog"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = {"get_weather": CITY, "get_time": CITY}
REPORT = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "degrees": {"type": "integer"}, "rain": {"type": "boolean"}},
    "required": ["summary", "degrees", "rain"],
    "additionalProperties": False,
}


def png():
    """A red picture of 8 × 8."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (8).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = zlib.compress((b"\0" + b"\xff\0\0" * 8) * 8)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PNG = png()


class Cell:
    """A client and a provider with the gateway between them."""

    def __init__(self, gateway, client, target):
        self.gateway, self.client, self.target = gateway, client, target
        self.mock = gateway.mocks["mock"]
        self.mock.forget()
        self.before = len(gateway.records())
        self.asked = []

    def model(self, faults="", reasons=False):
        return f"{self.target.name}/{self.target.reasoner if reasons else self.target.model}{faults}"

    def ask(self, *turns, faults="", **options):
        options["model"] = self.model(faults, options.get("effort") is not None)
        answer = self.client.ask(Ask(turns=list(turns), **options))
        self.asked.append((answer, options["model"], options.get("stream", False)))
        return answer

    def settle(self):
        """The answers agree with what the gateway recorded."""
        records = self.gateway.new_records(self.before, len(self.asked)) if self.asked else []
        for record, (answer, model, stream) in zip(records, self.asked, strict=True):
            assert (record["outcome"], record["status"]) == ("ok", 200), record
            assert (record["target"], record["stream"]) == (model, stream), record
            assert record["endpoint"] == ENDPOINTS[self.client.format], record
            usage = record["usage"]
            if stream and not self.target.counts_streams:
                assert usage["known"] == "estimated", usage
                continue
            assert usage["known"] == "reported", usage
            assert answer.prompt == usage["prompt_tokens"] > 0, (answer.prompt, usage)
            assert answer.completion == usage["completion_tokens"] > 0, (answer.completion, usage)

    def record(self):
        """The one record of what ended badly."""
        [record] = self.gateway.new_records(self.before)
        self.before += 1
        return record

    def seen(self):
        """The last request that the provider got."""
        seen = self.mock.requests()[-1]
        assert self.target.path in seen["path"], seen["path"]
        return seen


ENDPOINTS = {
    **{name: name for name in ("chat", "responses", "messages", "converse")},
    "gemini": "generate_content",
}


def text(cell, stream=False):
    answer = cell.ask(user(WORDS), system="Be kind to everyone.", stream=stream)
    assert WORDS in answer.text
    assert answer.stop == "end" and not answer.calls and not answer.thought
    assert not stream or answer.pieces > 3, "the whole text in one piece"
    seen = cell.seen()
    assert "Be kind to everyone." in system_of(cell.target.wire, seen["body"]), seen["body"]
    headers = json.dumps(seen["headers"])
    assert CLIENT_KEY not in json.dumps(seen) and fingerprint(CLIENT_KEY) not in headers
    assert "AKIDCLIENT" not in headers
    if cell.target.key:
        assert seen["headers"][cell.target.header].endswith(fingerprint(KEYS[cell.target.key]))


def tools(cell, stream=False):
    """A call, its result, the answer."""
    question = user("What is the weather in Paris?")
    answer = cell.ask(question, tools=TOOLS, must_call=True, stream=stream)
    [call] = answer.calls
    assert call.name == "get_weather" and isinstance(call.arguments["city"], str)
    assert answer.stop == "tools"
    told = results(answer, ["21 degrees and sunny"])
    final = cell.ask(question, answer, told, tools=TOOLS, stream=stream)
    assert "21 degrees and sunny" in final.text and not final.calls
    assert final.stop == "end"


def parallel(cell, stream=False):
    question = user("Use get_weather and get_time in parallel.")
    answer = cell.ask(question, tools=TOOLS, stream=stream)
    assert [call.name for call in answer.calls] == ["get_weather", "get_time"], answer
    # Only Google's own calls have no ids.
    if cell.target.wire != "gemini" or cell.client.format != "gemini":
        assert len({call.id for call in answer.calls} - {None}) == 2
    told = results(answer, ["21 degrees and sunny", "a quarter past nine"])
    final = cell.ask(question, answer, told, tools=TOOLS, stream=stream)
    assert "a quarter past nine" in final.text and not final.calls
    body = json.dumps(cell.seen()["body"])
    assert "21 degrees and sunny" in body and "a quarter past nine" in body, body


def structured(cell, stream=False):
    if not cell.target.takes_schemas and cell.client.format != cell.target.wire:
        # Not the same without: refused rather than left out.
        with pytest.raises(cell.client.errors[400]) as failure:
            cell.ask(user("How is the weather?"), schema=REPORT, stream=stream)
        assert "cannot be held to a schema" in str(failure.value)
        assert cell.record()["outcome"] == "refused" and cell.mock.requests() == []
        return
    answer = cell.ask(user("How is the weather?"), schema=REPORT, stream=stream)
    report = json.loads(answer.text)
    kinds = {"summary": str, "degrees": int, "rain": bool}
    assert {name: type(value) for name, value in report.items()} == kinds, report
    assert answer.stop == "end" and not answer.calls


def image(cell):
    answer = cell.ask(picture(f"What is it? {WORDS}", PNG))
    assert WORDS in answer.text
    # Google takes base64 in both alphabets.
    usual = json.dumps(cell.seen()["body"]).replace("-", "+").replace("_", "/")
    assert base64.b64encode(PNG).decode() in usual


def reasoning(cell, stream=False):
    answer = cell.ask(user(WORDS), effort="medium", max_tokens=4000, stream=stream)
    assert WORDS in answer.text
    # GLM shows its thoughts where its own parameter asks for them, which a chat passes as it is; OpenAI shows a summary
    # where its own format asks for one, which not every account may.
    hidden = cell.target.wire == "openai_responses" and cell.client.format != "responses"
    hidden |= (cell.client.format, cell.target.name) == ("chat", "glm")
    if cell.target.shows_thought and not hidden:
        assert answer.thought == "The user wants an answer. A short one will do.", answer


def reasoning_and_tools(cell, stream=False):
    """The provider's thoughts come back to it with the tool's result, signatures and all."""
    question = user("Please use get_weather.")
    options = {"tools": TOOLS, "effort": "medium", "max_tokens": 4000, "stream": stream}
    answer = cell.ask(question, **options)
    assert [call.name for call in answer.calls] == ["get_weather"]
    final = cell.ask(question, answer, results(answer, ["21 degrees"]), **options)
    assert "21 degrees" in final.text


def length(cell, stream=False):
    answer = cell.ask(user("word " * 200), max_tokens=20, stream=stream)
    assert answer.stop == "length" and answer.completion <= 20, answer


def error(cell, status):
    model = cell.model(f"+status={status}")
    for stream in (False, True):
        with pytest.raises(cell.client.errors[status]) as failure:
            ask = Ask(model=model, turns=[user(WORDS)], stream=stream)
            cell.client.ask(ask)
        assert cell.client.status(failure.value) == status
        assert len(str(failure.value)) > 20
        record = cell.record()
        assert (record["outcome"], record["status"]) == ("provider_error", status)


def torn(cell, fault):
    """What came is given, then the format's own error; the connection itself ends as it should."""
    got = 0
    with pytest.raises(cell.client.torn) as failure:
        for _ in cell.client.stream(Ask(model=cell.model(f"+tokens=300+{fault}"), turns=[user(WORDS)], stream=True)):
            got += 1
    assert got > 0 and "onnection" not in type(failure.value).__name__, failure.value
    assert cell.record()["outcome"] in ("cut", "provider_error")


def cancel(cell):
    ask = Ask(model=cell.model("+tokens=300+drip=20"), turns=[user(WORDS)], stream=True)
    cell.client.hang_up(ask, after=8)
    record = cell.record()
    assert record["outcome"] == "client_gone", record
    assert record["usage"]["completion_tokens"] < 300


WHAT = {
    "text": text,
    "text stream": lambda cell: text(cell, stream=True),
    "tools": tools,
    "tools stream": lambda cell: tools(cell, stream=True),
    "parallel": parallel,
    "parallel stream": lambda cell: parallel(cell, stream=True),
    "structured": structured,
    "structured stream": lambda cell: structured(cell, stream=True),
    "image": image,
    "reasoning": reasoning,
    "reasoning stream": lambda cell: reasoning(cell, stream=True),
    "reasoning and tools": reasoning_and_tools,
    "reasoning and tools stream": lambda cell: reasoning_and_tools(cell, stream=True),
    "length": length,
    "length stream": lambda cell: length(cell, stream=True),
    "400": lambda cell: error(cell, 400),
    "401": lambda cell: error(cell, 401),
    "404": lambda cell: error(cell, 404),
    "429": lambda cell: error(cell, 429),
    "cut": lambda cell: torn(cell, "cut=4000"),
    "error in stream": lambda cell: torn(cell, "error-in-stream"),
    "cancel": cancel,
}
# What is tried of servers that share their format with another.
BASICS = ["text", "text stream", "tools", "tools stream", "429"]
# What is tried with SDKs whose format was tried already.
NODE_TARGETS = ["openai", "openai_responses", "anthropic", "gemini", "bedrock"]
NODE_WHAT = [
    "text",
    "text stream",
    "tools",
    "tools stream",
    "parallel stream",
    "structured",
    "image",
    "reasoning and tools",
    "reasoning and tools stream",
    "400",
    "429",
    "cut",
    "error in stream",
    "cancel",
]


def cell(client, target, names):
    def test(matrix, clients, what):
        asked = Cell(matrix, clients[client], target)
        try:
            WHAT[what](asked)
            asked.settle()
        except BaseException:
            # No record that is still to come may look like one of the next test's.
            matrix.recorded()
            raise

    return pytest.mark.parametrize("what", names)(test)


for client in CLIENTS:
    for target in TARGETS:
        globals()[f"test_{client}_to_{target}"] = cell(client, target, list(WHAT))
for target in OTHERS:
    globals()[f"test_chat_to_{target.name.replace('-', '_')}"] = cell("chat", target, BASICS)
for client in NODE_CLIENTS:
    for target in TARGETS:
        if target.name in NODE_TARGETS:
            globals()[f"test_{client}_to_{target}"] = cell(client, target, NODE_WHAT)


@pytest.fixture(scope="module")
def clients(matrix):
    node = Node(matrix.url)
    clients = {name: client(matrix.url) for name, client in CLIENTS.items()}
    clients |= {name: NodeClient(node, name, form) for name, form in NODE_CLIENTS.items()}
    yield clients
    node.close()
