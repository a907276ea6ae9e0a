"""LangChain and Pydantic AI, as their users use them, with every format of theirs to every format of provider."""

import asyncio
import typing

import pydantic
import pytest
from google import genai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from clients import CLIENT_KEY, CLIENTS
from targets import TARGETS

WORDS = "The quick brown fox jumps over the lazy dog"
NAMES = ["openai", "openai_responses", "anthropic", "gemini", "bedrock"]
MODELS = [f"{target.name}/{target.model}" for target in TARGETS if target.name in NAMES]
each_model = pytest.mark.parametrize("model", MODELS, ids=NAMES)


class Report(pydantic.BaseModel):
    """The weather."""

    summary: str
    degrees: int
    rain: bool


def weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


# --- LangChain

each_format = pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])


def langchain(matrix, model, responses):
    more = {"use_responses_api": True, "store": False} if responses else {"stream_usage": True}
    return ChatOpenAI(base_url=f"{matrix.url}/v1", api_key=CLIENT_KEY, model=model, max_retries=0, timeout=30, **more)


@each_model
@each_format
def test_langchain(matrix, model, responses):
    chat = langchain(matrix, model, responses)
    answer = chat.invoke([("system", "Be kind."), ("user", WORDS)])
    assert WORDS in answer.text
    assert answer.usage_metadata["total_tokens"] > 0
    pieces = list(chat.stream(WORDS))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert WORDS in whole.text and len(pieces) > 3
    assert whole.usage_metadata["output_tokens"] > 0


@each_model
@each_format
def test_langchain_tools(matrix, model, responses):
    chat = langchain(matrix, model, responses).bind_tools([tool(weather)], tool_choice="any")
    asked = [HumanMessage("What is the weather in Paris?")]
    answer = chat.invoke(asked)
    [call] = answer.tool_calls
    assert call["name"] == "weather"
    result = ToolMessage(weather(**call["args"]), tool_call_id=call["id"])
    final = langchain(matrix, model, responses).bind_tools([tool(weather)]).invoke([*asked, answer, result])
    assert "21 degrees" in final.text


@each_model
@each_format
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_structured(matrix, model, responses, method):
    chat = langchain(matrix, model, responses).with_structured_output(Report, method=method)
    assert isinstance(chat.invoke("How is the weather?"), Report)


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"])
def test_langchain_embeddings(matrix, model):
    embeddings = OpenAIEmbeddings(
        base_url=f"{matrix.url}/v1", api_key=CLIENT_KEY, model=model, check_embedding_ctx_length=False
    )
    vectors = embeddings.embed_documents(["one", "two"])
    assert len(vectors) == 2 and vectors[0] != vectors[1]


# --- Pydantic AI


def openai_provider(url):
    return OpenAIProvider(base_url=f"{url}/v1", api_key=CLIENT_KEY)


def google_provider(url):
    client = genai.Client(api_key=CLIENT_KEY, vertexai=False, http_options={"base_url": url})
    return GoogleProvider(client=client)


def bedrock_provider(url):
    return BedrockProvider(bedrock_client=CLIENTS["converse"](url).sdk)


FORMATS: dict[str, typing.Callable] = {
    "chat": lambda url, model: OpenAIChatModel(model, provider=openai_provider(url)),
    "responses": lambda url, model: OpenAIResponsesModel(model, provider=openai_provider(url)),
    "messages": lambda url, model: AnthropicModel(
        model, provider=AnthropicProvider(api_key=CLIENT_KEY, base_url=url)
    ),
    "gemini": lambda url, model: GoogleModel(model, provider=google_provider(url)),
    "converse": lambda url, model: BedrockConverseModel(model, provider=bedrock_provider(url)),
}


def agent(matrix, form, model, **options):
    made = Agent(FORMATS[form](matrix.url, model), instructions="Be kind.", **options)
    made.tool_plain(weather)
    return made


@each_model
@pytest.mark.parametrize("form", FORMATS)
def test_pydantic_ai_agent(matrix, form, model):
    """The tool is called, its result sent, the answer read; then the same in a stream."""
    talker = agent(matrix, form, model)

    async def talk():
        done = await talker.run("Please use weather for Paris.")
        async with talker.run_stream("Please use weather for Paris.") as streamed:
            return done, [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]

    done, pieces = asyncio.run(talk())
    assert "21 degrees" in done.output and "21 degrees" in "".join(pieces)
    assert done.usage.requests == 2 and done.usage.tool_calls == 1 and done.usage.output_tokens > 0


@each_model
@pytest.mark.parametrize("form", FORMATS)
def test_pydantic_ai_structured(matrix, form, model):
    """By a tool that must be called."""
    asker = Agent(FORMATS[form](matrix.url, model), output_type=ToolOutput(Report))
    assert isinstance(asker.run_sync("How is it?").output, Report)


@each_model
@pytest.mark.parametrize("form", ["chat", "responses"])
def test_pydantic_ai_native_structured(matrix, form, model):
    asker = Agent(FORMATS[form](matrix.url, model), output_type=NativeOutput(Report))
    assert isinstance(asker.run_sync("How is it?").output, Report)
