"""What Envoy signs for AWS, checked by botocore; and who is asked with which credential."""

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from clients import CLIENTS, Ask, user
from targets import BEDROCK_CLAUDE, KEYS


def signature(seen):
    """The signature that botocore makes for a request that the mock saw."""
    stated = dict(part.strip().split("=", 1) for part in seen["headers"]["authorization"].split(" ", 1)[1].split(","))
    key, _, region, service, _ = stated["Credential"].split("/")
    assert (key, region, service) == (KEYS["AWS_ACCESS_KEY_ID"], "us-east-1", "bedrock")
    headers = {name: seen["headers"][name] for name in stated["SignedHeaders"].split(";")}
    assert {"host", "x-amz-date", "x-amz-content-sha256"} <= set(headers)
    assert headers["x-amz-content-sha256"] == seen["body_sha256"]
    request = botocore.awsrequest.AWSRequest(
        method=seen["method"], url=f"http://{headers['host']}{seen['path']}", headers=headers
    )
    request.context["timestamp"] = headers["x-amz-date"]
    credentials = botocore.credentials.Credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    auth = botocore.auth.SigV4Auth(credentials, service, region)
    told = auth.string_to_sign(request, auth.canonical_request(request))
    return stated["Signature"], auth.signature(told, request)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", ["chat", "messages", "converse"])
@pytest.mark.parametrize("target", ["bedrock", "bedrock_invoke"])
def test_botocore_signs_the_same(matrix, target, client, stream):
    mock = matrix.mocks["mock"]
    mock.forget()
    ask = Ask(model=f"{target}/{BEDROCK_CLAUDE}", turns=[user("naïve “quotes” 漢字 / % + & = ?")], stream=stream)
    CLIENTS[client](matrix.url).ask(ask)
    [seen] = mock.requests()
    assert "%3A" in seen["path"]
    found, wanted = signature(seen)
    assert found == wanted


def test_only_what_goes_to_amazon_is_signed(matrix):
    mock = matrix.mocks["mock"]
    mock.forget()
    client = CLIENTS["chat"](matrix.url)
    for model in ["openai/gpt-4o", f"bedrock/{BEDROCK_CLAUDE}", f"bedrock_key/{BEDROCK_CLAUDE}", "anthropic/claude-sonnet-4-5"]:
        client.ask(Ask(model=model, turns=[user("hello")]))
    signed = ["AWS4-HMAC-SHA256" in str(seen["headers"]) for seen in mock.requests()]
    assert signed == [False, True, False, False]
    dated = ["x-amz-date" in seen["headers"] for seen in mock.requests()]
    assert dated == signed


def test_the_second_attempt_of_a_chain_is_signed_over_what_it_sends(matrix):
    mock = matrix.mocks["mock"]
    for alias, asked in (("then-bedrock", 2), ("bedrock-then-openai", 2)):
        mock.forget()
        answer = CLIENTS["chat"](matrix.url).ask(Ask(model=alias, turns=[user("Say it again, please.")]))
        assert "Say it again, please." in answer.text
        seen = mock.requests()
        assert len(seen) == asked
        for request in seen:
            if "/converse" in request["path"]:
                found, wanted = signature(request)
                assert found == wanted
            else:
                assert "x-amz-date" not in request["headers"]
