"""OpenAI's embeddings of every provider that has some: `test_embeddings_to_PROVIDER[what]`."""

import math

import openai
import pytest

from clients import CLIENT_KEY

MODELS = {
    "openai": "text-embedding-3-small",
    "azure": "text-embedding-3-small",
    "azure_v1": "text-embedding-3-small",
    "gemini": "gemini-embedding-001",
    "vertex": "text-embedding-005",
    "bedrock": "amazon.titan-embed-text-v2:0",
    "bedrock_key": "cohere.embed-v4:0",
    "mistral": "codestral-embed",
    "cohere": "embed-v4.0",
    "ollama": "nomic-embed-text",
}
# Titan takes one text at a time.
ONE_BY_ONE = {"bedrock"}
TEXTS = ["the first text", "a second one", "and the third, which is the longest of them all"]


@pytest.fixture(scope="module")
def sdk(matrix):
    return openai.OpenAI(base_url=f"{matrix.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=30)


def close(one, other):
    return len(one) == len(other) and all(abs(a - b) < 1e-5 for a, b in zip(one, other))


def one(embed):
    # The SDK asks for base64 unless told otherwise.
    plain = embed(TEXTS[0], encoding_format="float")
    assert close(embed(TEXTS[0]).data[0].embedding, plain.data[0].embedding)
    assert abs(math.hypot(*plain.data[0].embedding) - 1) < 1e-3
    return 2


def several(embed):
    answer = embed(TEXTS, encoding_format="float")
    assert [item.index for item in answer.data] == [0, 1, 2]
    for text, item in zip(TEXTS, answer.data, strict=True):
        assert close(embed(text, encoding_format="float").data[0].embedding, item.embedding), text
    return 4


def dimensions(embed):
    assert len(embed(TEXTS[0], dimensions=256).data[0].embedding) == 256
    return 1


WHAT = {"one": one, "several": several, "dimensions": dimensions}


def cell(target):
    def test(matrix, sdk, what):
        before = matrix.recorded()
        model = f"{target}/{MODELS[target]}"
        answers = []

        def embed(texts, **options):
            answers.append(sdk.embeddings.create(model=model, input=texts, **options))
            assert answers[-1].object == "list"
            return answers[-1]

        count = WHAT[what](embed)
        records = matrix.new_records(before, count)
        for record, answer in zip(records, answers, strict=True):
            assert (record["endpoint"], record["target"], record["outcome"]) == ("embeddings", model, "ok")
            assert record["usage"]["prompt_tokens"] == answer.usage.prompt_tokens > 0
            assert answer.usage.total_tokens == answer.usage.prompt_tokens

    names = [name for name in WHAT if name != "several" or target not in ONE_BY_ONE]
    return pytest.mark.parametrize("what", names)(test)


for target in MODELS:
    globals()[f"test_embeddings_to_{target}"] = cell(target)


@pytest.mark.parametrize("target", ONE_BY_ONE)
def test_several_texts_are_refused_where_one_is_taken(sdk, target):
    with pytest.raises(openai.BadRequestError) as failure:
        sdk.embeddings.create(model=f"{target}/{MODELS[target]}", input=TEXTS)
    assert "found 3 inputs, expected one" in failure.value.message


@pytest.mark.parametrize("target", MODELS)
@pytest.mark.parametrize("status", [400, 429])
def test_an_embeddings_error_is_the_sdks_own(matrix, sdk, target, status):
    kinds = {400: openai.BadRequestError, 429: openai.RateLimitError}
    with pytest.raises(kinds[status]) as failure:
        sdk.embeddings.create(model=f"{target}/{MODELS[target]}+status={status}", input="x")
    assert failure.value.body["message"]
