"""The vendors' Python SDKs behind one face, so that each test of the matrix is written once.

A conversation is a list of turns: `user(text)`, `picture(text, png)`, an `Answer` (said again exactly as its SDK gave
it), `results({call: text})`.
"""

import base64
import dataclasses
import json
import typing

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import openai
from google import genai
from google.genai import errors as google_errors
from google.genai import types

# What a client sends as its own credential; no provider may ever see it.
CLIENT_KEY = "sk-what-the-client-sent"
STRUCTURE = "weather_report"


@dataclasses.dataclass
class Call:
    id: str
    name: str
    arguments: dict


@dataclasses.dataclass
class Answer:
    text: str = ""
    calls: list[Call] = dataclasses.field(default_factory=list)
    thought: str = ""
    # `end`, `length`, `tools`, or the format's own word where it is none of these.
    stop: str | None = None
    prompt: int | None = None
    completion: int | None = None
    # As the SDK wants it back in the next request.
    raw: typing.Any = None
    # How many pieces of text it came in.
    pieces: int = 0


@dataclasses.dataclass
class Turn:
    role: str
    text: str = ""
    png: bytes | None = None
    results: list[tuple[Call, str]] = dataclasses.field(default_factory=list)


def user(text):
    return Turn("user", text)


def picture(text, png):
    return Turn("user", text, png=png)


def results(answer, texts):
    return Turn("results", results=list(zip(answer.calls, texts, strict=True)))


@dataclasses.dataclass
class Ask:
    model: str
    turns: list
    system: str | None = None
    # Name and JSON Schema of each.
    tools: dict[str, dict] = dataclasses.field(default_factory=dict)
    must_call: bool = False
    schema: dict | None = None
    effort: str | None = None
    max_tokens: int = 600
    stream: bool = False


class Client:
    """One SDK, speaking one format."""

    format: str
    # Status of a provider's error → what the SDK raises, with which status.
    errors: dict[int, type[Exception]]
    # What it raises when a stream ends in its format's error event.
    torn: type[Exception] | tuple = ()

    def __init__(self, url):
        self.url = url

    def ask(self, ask):
        """The whole answer, or all of the stream put together."""
        raise NotImplementedError

    def stream(self, ask):
        """Yields something for each event; closing it closes the connection."""
        raise NotImplementedError

    def hang_up(self, ask, after):
        """Closes the connection after that many events."""
        events = self.stream(ask)
        for _ in zip(range(after), events):
            pass
        events.close()

    def status(self, error):
        return error.status_code


def data_url(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()


class Chat(Client):
    format = "chat"
    errors = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
    }
    torn = openai.APIError

    def __init__(self, url):
        super().__init__(url)
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=30)

    def request(self, ask):
        messages = [{"role": "system", "content": ask.system}] if ask.system else []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                messages.append(turn.raw)
            elif turn.results:
                messages += [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in turn.results]
            elif turn.png:
                image = {"type": "image_url", "image_url": {"url": data_url(turn.png)}}
                messages.append({"role": "user", "content": [{"type": "text", "text": turn.text}, image]})
            else:
                messages.append({"role": "user", "content": turn.text})
        request = {"model": ask.model, "messages": messages, "max_completion_tokens": ask.max_tokens}
        if ask.tools:
            request["tools"] = [
                {"type": "function", "function": {"name": name, "description": f"Call {name}", "parameters": schema}}
                for name, schema in ask.tools.items()
            ]
            request["tool_choice"] = "required" if ask.must_call else "auto"
        if ask.schema:
            named = {"name": STRUCTURE, "schema": ask.schema, "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
        if ask.effort:
            request["reasoning_effort"] = ask.effort
        return request

    def ask(self, ask):
        if ask.stream:
            return self.put_together(self.stream(ask))
        done = self.sdk.chat.completions.create(**self.request(ask))
        assert done.object == "chat.completion" and done.id and done.created
        [choice] = done.choices
        message = choice.message
        assert message.role == "assistant"
        calls = message.tool_calls or []
        return Answer(
            text=message.content or "",
            calls=[Call(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls],
            thought=(message.model_extra or {}).get("reasoning_content") or "",
            stop={"stop": "end", "tool_calls": "tools"}.get(choice.finish_reason, choice.finish_reason),
            prompt=done.usage.prompt_tokens,
            completion=done.usage.completion_tokens,
            raw=message.model_dump(exclude_none=True),
        )

    def stream(self, ask):
        with self.sdk.chat.completions.create(
            **self.request(ask), stream=True, stream_options={"include_usage": True}
        ) as stream:
            yield from stream

    def put_together(self, chunks):
        answer, calls, extra = Answer(), {}, {}
        ids = set()
        for chunk in chunks:
            if not chunk.choices and not chunk.usage:
                # Azure's word about the prompt, which comes before the answer.
                continue
            assert chunk.object == "chat.completion.chunk"
            ids.add(chunk.id)
            if chunk.usage:
                assert answer.prompt is None, "usage twice"
                answer.prompt, answer.completion = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
            for choice in chunk.choices:
                assert choice.index == 0
                delta = choice.delta
                if delta.content:
                    answer.text += delta.content
                    answer.pieces += 1
                for name, value in (delta.model_extra or {}).items():
                    if isinstance(value, str):
                        extra[name] = extra.get(name, "") + value
                for call in delta.tool_calls or []:
                    known = calls.setdefault(call.index, {"id": None, "name": "", "arguments": ""})
                    known["id"] = call.id or known["id"]
                    known["name"] += call.function.name or ""
                    known["arguments"] += call.function.arguments or ""
                if choice.finish_reason:
                    assert answer.stop is None, "two finish reasons"
                    answer.stop = {"stop": "end", "tool_calls": "tools"}.get(choice.finish_reason, choice.finish_reason)
        assert len(ids) == 1, ids
        assert sorted(calls) == list(range(len(calls))), calls
        answer.thought = extra.get("reasoning_content", "")
        answer.calls = [Call(c["id"], c["name"], json.loads(c["arguments"])) for c in calls.values()]
        answer.raw = {"role": "assistant", "content": answer.text or None, **extra}
        if calls:
            answer.raw["tool_calls"] = [
                {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
                for c in calls.values()
            ]
        return answer


class Responses(Chat):
    format = "responses"

    def request(self, ask):
        items = []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                items += turn.raw
            elif turn.results:
                items += [
                    {"type": "function_call_output", "call_id": call.id, "output": text} for call, text in turn.results
                ]
            elif turn.png:
                image = {"type": "input_image", "image_url": data_url(turn.png), "detail": "auto"}
                items.append({"role": "user", "content": [{"type": "input_text", "text": turn.text}, image]})
            else:
                items.append({"role": "user", "content": turn.text})
        request = {"model": ask.model, "input": items, "store": False, "max_output_tokens": ask.max_tokens}
        if ask.system:
            request["instructions"] = ask.system
        if ask.tools:
            request["tools"] = [
                {"type": "function", "name": name, "description": f"Call {name}", "parameters": schema, "strict": False}
                for name, schema in ask.tools.items()
            ]
            request["tool_choice"] = "required" if ask.must_call else "auto"
        if ask.schema:
            request["text"] = {
                "format": {"type": "json_schema", "name": STRUCTURE, "schema": ask.schema, "strict": True}
            }
        if ask.effort:
            request["reasoning"] = {"effort": ask.effort, "summary": "auto"}
            request["include"] = ["reasoning.encrypted_content"]
        return request

    def ask(self, ask):
        pieces = 0
        if ask.stream:
            done, texts, numbers, first = None, {}, [], None
            for event in self.stream(ask):
                first = first or event.type
                numbers.append(event.sequence_number)
                if event.type == "response.output_text.delta":
                    pieces += 1
                    at = event.output_index, event.content_index
                    texts[at] = texts.get(at, "") + event.delta
                elif event.type in ("response.completed", "response.incomplete"):
                    assert done is None
                    done = event.response
            assert first == "response.created" and done is not None, (first, done)
            assert numbers == sorted(set(numbers)), numbers
            assert "".join(texts.values()) == done.output_text
        else:
            done = self.sdk.responses.create(**self.request(ask))
        assert done.object == "response" and done.id
        answer = Answer(text=done.output_text, pieces=pieces, raw=[])
        for item in done.output:
            if item.type == "function_call":
                answer.calls.append(Call(item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "reasoning":
                parts = [*item.summary, *(item.content or [])]
                answer.thought += "".join(part.text for part in parts)
            answer.raw.append(item.model_dump(exclude_none=True))
        if done.status == "completed":
            answer.stop = "tools" if answer.calls else "end"
        elif done.incomplete_details and done.incomplete_details.reason == "max_output_tokens":
            answer.stop = "length"
        else:
            answer.stop = done.status
        answer.prompt, answer.completion = done.usage.input_tokens, done.usage.output_tokens
        return answer

    def stream(self, ask):
        with self.sdk.responses.create(**self.request(ask), stream=True) as stream:
            for event in stream:
                if event.type == "response.failed":
                    raise openai.APIError(event.response.error.message, request=None, body=event.response.error)
                yield event


class Messages(Client):
    format = "messages"
    errors = {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        404: anthropic.NotFoundError,
        429: anthropic.RateLimitError,
    }
    torn = anthropic.APIStatusError

    def __init__(self, url):
        super().__init__(url)
        self.sdk = anthropic.Anthropic(base_url=url, api_key=CLIENT_KEY, max_retries=0, timeout=30)

    def request(self, ask):
        messages = []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                messages.append({"role": "assistant", "content": turn.raw})
            elif turn.results:
                content = [
                    {"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in turn.results
                ]
                messages.append({"role": "user", "content": content})
            elif turn.png:
                source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(turn.png).decode()}
                content = [{"type": "image", "source": source}, {"type": "text", "text": turn.text}]
                messages.append({"role": "user", "content": content})
            else:
                messages.append({"role": "user", "content": turn.text})
        request = {"model": ask.model, "messages": messages, "max_tokens": ask.max_tokens}
        if ask.system:
            request["system"] = ask.system
        if ask.tools:
            request["tools"] = [
                {"name": name, "description": f"Call {name}", "input_schema": schema}
                for name, schema in ask.tools.items()
            ]
            request["tool_choice"] = {"type": "any" if ask.must_call else "auto"}
        if ask.schema:
            request["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
        if ask.effort:
            request["thinking"] = {"type": "enabled", "budget_tokens": 2000}
            request["max_tokens"] = 2000 + ask.max_tokens
        return request

    def ask(self, ask):
        pieces = 0
        if ask.stream:
            with self.sdk.messages.stream(**self.request(ask)) as stream:
                pieces = sum(1 for event in stream if event.type == "text")
                done = stream.get_final_message()
        else:
            done = self.sdk.messages.create(**self.request(ask))
        assert done.type == "message" and done.role == "assistant" and done.id
        blocks = done.content
        return Answer(
            text="".join(block.text for block in blocks if block.type == "text"),
            calls=[Call(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
            thought="".join(block.thinking for block in blocks if block.type == "thinking"),
            stop={"end_turn": "end", "max_tokens": "length", "tool_use": "tools"}.get(done.stop_reason, done.stop_reason),
            prompt=sum(
                tokens or 0
                for tokens in (
                    done.usage.input_tokens,
                    done.usage.cache_read_input_tokens,
                    done.usage.cache_creation_input_tokens,
                )
            ),
            completion=done.usage.output_tokens,
            raw=[block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in blocks],
            pieces=pieces,
        )

    def stream(self, ask):
        with self.sdk.messages.create(**self.request(ask), stream=True) as stream:
            yield from stream


class Gemini(Client):
    format = "gemini"
    errors = dict.fromkeys((400, 401, 404, 429), google_errors.ClientError)
    torn = google_errors.APIError

    def __init__(self, url):
        super().__init__(url)
        options = types.HttpOptions(base_url=url, timeout=30_000)
        self.sdk = genai.Client(api_key=CLIENT_KEY, http_options=options, vertexai=False)

    def status(self, error):
        return error.code

    def request(self, ask):
        contents = []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                contents.append(turn.raw)
            elif turn.results:
                parts = [
                    types.Part(
                        function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": text})
                    )
                    for call, text in turn.results
                ]
                contents.append(types.Content(role="user", parts=parts))
            else:
                parts = [types.Part.from_bytes(data=turn.png, mime_type="image/png")] if turn.png else []
                contents.append(types.Content(role="user", parts=[*parts, types.Part(text=turn.text)]))
        config = types.GenerateContentConfig(
            system_instruction=ask.system,
            max_output_tokens=ask.max_tokens,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        if ask.tools:
            config.tools = [
                types.Tool(
                    function_declarations=[
                        types.FunctionDeclaration(
                            name=name, description=f"Call {name}", parameters_json_schema=schema
                        )
                        for name, schema in ask.tools.items()
                    ]
                )
            ]
            mode = "ANY" if ask.must_call else "AUTO"
            config.tool_config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode))
        if ask.schema:
            config.response_mime_type = "application/json"
            config.response_json_schema = ask.schema
        if ask.effort:
            config.thinking_config = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
            config.max_output_tokens = 2000 + ask.max_tokens
        return {"model": ask.model, "contents": contents, "config": config}

    def ask(self, ask):
        if ask.stream:
            answers = list(self.stream(ask))
        else:
            answers = [self.sdk.models.generate_content(**self.request(ask))]
        answer, parts, reason = Answer(), [], None
        for piece in answers:
            [candidate] = piece.candidates or [None]
            if candidate is None:
                continue
            reason = candidate.finish_reason or reason
            for part in (candidate.content and candidate.content.parts) or []:
                answer.pieces += bool(part.text)
                parts.append(part)
        usage = next(piece.usage_metadata for piece in reversed(answers) if piece.usage_metadata)
        for part in parts:
            if part.function_call:
                call = part.function_call
                answer.calls.append(Call(call.id, call.name, call.args))
            elif part.thought:
                answer.thought += part.text
            else:
                answer.text += part.text or ""
        word = reason.value if reason else None
        if word == "STOP":
            answer.stop = "tools" if answer.calls else "end"
        else:
            answer.stop = "length" if word == "MAX_TOKENS" else word
        answer.prompt = usage.prompt_token_count
        answer.completion = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        answer.raw = types.Content(role="model", parts=parts)
        return answer

    def stream(self, ask):
        yield from self.sdk.models.generate_content_stream(**self.request(ask))


class Converse(Client):
    format = "converse"
    errors = dict.fromkeys((400, 401, 404, 429), botocore.exceptions.ClientError)
    torn = botocore.exceptions.EventStreamError

    def __init__(self, url):
        super().__init__(url)
        self.sdk = boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="AKIDCLIENT",
            aws_secret_access_key=CLIENT_KEY,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=30, proxies={}),
        )

    def status(self, error):
        return error.response["ResponseMetadata"]["HTTPStatusCode"]

    def request(self, ask):
        messages = []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                messages.append(turn.raw)
            elif turn.results:
                content = [
                    {"toolResult": {"toolUseId": call.id, "content": [{"text": text}]}} for call, text in turn.results
                ]
                messages.append({"role": "user", "content": content})
            else:
                image = [{"image": {"format": "png", "source": {"bytes": turn.png}}}] if turn.png else []
                messages.append({"role": "user", "content": [*image, {"text": turn.text}]})
        request = {"modelId": ask.model, "messages": messages, "inferenceConfig": {"maxTokens": ask.max_tokens}}
        if ask.system:
            request["system"] = [{"text": ask.system}]
        if ask.tools:
            request["toolConfig"] = {
                "tools": [
                    {"toolSpec": {"name": name, "description": f"Call {name}", "inputSchema": {"json": schema}}}
                    for name, schema in ask.tools.items()
                ],
                "toolChoice": {"any": {}} if ask.must_call else {"auto": {}},
            }
        if ask.schema:
            structure = {"jsonSchema": {"schema": json.dumps(ask.schema), "name": STRUCTURE}}
            request["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        if ask.effort:
            request["additionalModelRequestFields"] = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
            request["inferenceConfig"]["maxTokens"] = 2000 + ask.max_tokens
        return request

    def ask(self, ask):
        pieces = 0
        if ask.stream:
            message, reason, usage = {"content": []}, None, None
            blocks = {}
            for event in self.stream(ask):
                [(kind, held)] = event.items()
                if kind == "messageStart":
                    message["role"] = held["role"]
                elif kind == "contentBlockStart":
                    tool = held["start"].get("toolUse")
                    blocks[held["contentBlockIndex"]] = {"toolUse": {**tool, "input": ""}} if tool else {}
                elif kind == "contentBlockDelta":
                    pieces += "text" in held["delta"]
                    self.extend(blocks.setdefault(held["contentBlockIndex"], {}), held["delta"])
                elif kind == "messageStop":
                    reason = held["stopReason"]
                elif kind == "metadata":
                    usage = held["usage"]
            for _, block in sorted(blocks.items()):
                if "toolUse" in block:
                    block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
                message["content"].append(block)
        else:
            done = self.sdk.converse(**self.request(ask))
            message, reason, usage = done["output"]["message"], done["stopReason"], done["usage"]
        assert message["role"] == "assistant"
        answer = Answer(raw=message, pieces=pieces)
        for block in message["content"]:
            if "toolUse" in block:
                tool = block["toolUse"]
                answer.calls.append(Call(tool["toolUseId"], tool["name"], tool["input"]))
            elif "reasoningContent" in block:
                answer.thought += block["reasoningContent"].get("reasoningText", {}).get("text", "")
            else:
                answer.text += block["text"]
        answer.stop = {"end_turn": "end", "max_tokens": "length", "tool_use": "tools"}.get(reason, reason)
        answer.prompt = usage["inputTokens"] + usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
        answer.completion = usage["outputTokens"]
        assert usage["totalTokens"] == answer.prompt + answer.completion
        return answer

    @staticmethod
    def extend(block, delta):
        if "text" in delta:
            block["text"] = block.get("text", "") + delta["text"]
        elif "toolUse" in delta:
            block["toolUse"]["input"] += delta["toolUse"]["input"]
        elif "reasoningContent" in delta:
            held = delta["reasoningContent"]
            if "redactedContent" in held:
                block["reasoningContent"] = held
                return
            text = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})["reasoningText"]
            text["text"] += held.get("text", "")
            if "signature" in held:
                text["signature"] = text.get("signature", "") + held["signature"]

    def stream(self, ask):
        stream = self.sdk.converse_stream(**self.request(ask))["stream"]
        try:
            yield from stream
        finally:
            stream.close()


CLIENTS = {client.format: client for client in (Chat, Responses, Messages, Gemini, Converse)}
