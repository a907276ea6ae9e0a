"""The providers of the matrix: each kind as `conduit.yaml` names it, all of them played by one mock."""

import dataclasses
import hashlib
import json

KEYS = {
    "OPENAI_API_KEY": "sk-e2e-openai",
    "ANTHROPIC_API_KEY": "sk-ant-e2e",
    "AZURE_OPENAI_API_KEY": "azure-e2e",
    "GEMINI_API_KEY": "gemini-e2e",
    "GOOGLE_CLOUD_TOKEN": "ya29.e2e",
    "AWS_BEARER_TOKEN_BEDROCK": "bedrock-e2e",
    "AWS_ACCESS_KEY_ID": "AKIDMOCK",
    "AWS_SECRET_ACCESS_KEY": "mock-secret",
    "GLM_API_KEY": "glm-id.glm-secret",
    "OTHER_API_KEY": "other-e2e",
}


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    # Its line in the file.
    line: str
    model: str
    # The format that it is asked in.
    wire: str
    # A model that reasons.
    reasoner: str
    # What the path of a request to it holds.
    path: str
    # Which header says who asks, and the key in it.
    header: str = "authorization"
    key: str | None = None
    # Whether it shows what the model thought.
    shows_thought: bool = True
    # Whether its streams say what was used.
    counts_streams: bool = True
    # Whether the model can be held to a JSON Schema.
    takes_schemas: bool = True

    def __str__(self):
        return self.name


CLAUDE = "claude-sonnet-4-5"
BEDROCK_CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

TARGETS = [
    Target(
        "openai",
        'openai: {{api_key: "${{OPENAI_API_KEY}}", url: "{mock}/v1", api: chat}}',
        "gpt-4o", "openai_chat", "o4-mini", "/v1/chat/completions", key="OPENAI_API_KEY", shows_thought=False,
    ),
    Target(
        "openai_responses",
        'openai_responses: {{kind: openai, api_key: "${{OPENAI_API_KEY}}", url: "{mock}/v1", api: responses}}',
        "gpt-4o", "openai_responses", "o4-mini", "/v1/responses", key="OPENAI_API_KEY",
    ),
    Target(
        "azure",
        'azure: {{api_key: "${{AZURE_OPENAI_API_KEY}}", url: "{mock}", api_version: "2024-10-21"}}',
        "gpt-4o", "openai_chat", "o4-mini", "/openai/deployments/", "api-key", "AZURE_OPENAI_API_KEY", False,
    ),
    Target(
        "azure_v1",
        'azure_v1: {{kind: azure, bearer: "${{OTHER_API_KEY}}", url: "{mock}/azure", api: responses}}',
        "gpt-4o", "openai_responses", "o4-mini", "/openai/v1/responses", key="OTHER_API_KEY",
    ),
    Target(
        "anthropic",
        'anthropic: {{api_key: "${{ANTHROPIC_API_KEY}}", url: "{mock}/v1"}}',
        CLAUDE, "anthropic", CLAUDE, "/v1/messages", "x-api-key", "ANTHROPIC_API_KEY",
    ),
    Target(
        "gemini",
        'gemini: {{api_key: "${{GEMINI_API_KEY}}", url: "{mock}/v1beta"}}',
        "gemini-2.5-flash", "gemini", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash", "x-goog-api-key", "GEMINI_API_KEY",
    ),
    Target(
        "vertex",
        'vertex: {{bearer: "${{GOOGLE_CLOUD_TOKEN}}", project: p1, location: europe-west1, url: "{mock}"}}',
        "gemini-2.5-flash", "gemini", "gemini-2.5-flash",
        "/v1/projects/p1/locations/europe-west1/publishers/google/models/", key="GOOGLE_CLOUD_TOKEN",
    ),
    Target(
        "vertex_claude",
        'vertex_claude: {{kind: vertex, bearer: "${{GOOGLE_CLOUD_TOKEN}}", project: p1, url: "{mock}"}}',
        "claude-sonnet-4-5@20250929", "anthropic", "claude-sonnet-4-5@20250929",
        "/v1/projects/p1/locations/global/publishers/anthropic/models/", key="GOOGLE_CLOUD_TOKEN",
    ),
    # Signed by Envoy.
    Target(
        "bedrock",
        'bedrock: {{region: us-east-1, url: "{mock}", api: converse}}',
        BEDROCK_CLAUDE, "converse", BEDROCK_CLAUDE, "/converse",
    ),
    Target(
        "bedrock_key",
        'bedrock_key: {{kind: bedrock, api_key: "${{AWS_BEARER_TOKEN_BEDROCK}}", region: us-east-1, url: "{mock}", api: converse}}',
        "us.amazon.nova-2-lite-v1:0", "converse", "us.amazon.nova-2-lite-v1:0", "/converse", key="AWS_BEARER_TOKEN_BEDROCK",
        takes_schemas=False,
    ),
    Target(
        "bedrock_invoke",
        'bedrock_invoke: {{kind: bedrock, region: us-east-1, url: "{mock}", api: messages}}',
        BEDROCK_CLAUDE, "anthropic", BEDROCK_CLAUDE, "/invoke",
    ),
    Target(
        "glm",
        'glm: {{api_key: "${{GLM_API_KEY}}", url: "{mock}/api/paas/v4"}}',
        "glm-4.6", "openai_chat", "glm-4.6", "/api/paas/v4/chat/completions",
    ),
]



def other(kind, model, wire="openai_chat", path="/v1/chat/completions", counts_streams=True):
    line = f'{kind}: {{{{api_key: "${{{{OTHER_API_KEY}}}}", url: "{{mock}}/v1"}}}}'
    return Target(kind, line, model, wire, model, path, key="OTHER_API_KEY", counts_streams=counts_streams)


# Those whose format is another's.
OTHERS = [
    other("groq", "llama-3.3-70b-versatile"),
    other("xai", "grok-3"),
    other("deepseek", "deepseek-chat"),
    # These two count in streams unasked, which the mock, playing OpenAI here, does not.
    other("mistral", "mistral-large-latest", counts_streams=False),
    other("cohere", "command-a-03-2025", counts_streams=False),
    other("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    other("fireworks", "accounts/fireworks/models/llama-v3p3-70b-instruct"),
    other("openrouter", "meta-llama/llama-3.3-70b-instruct"),
    other("perplexity", "sonar", "openai_responses", "/v1/responses"),
    other("ollama", "llama3.2"),
    other("vllm", "meta-llama/Llama-3.1-8B-Instruct"),
    other("openai-compatible", "anything"),
]

CONFIG = """\
version: 1
listen: {{address: 127.0.0.1, port: {listen}}}
admin: {{address: 127.0.0.1, port: {admin}}}
max_body: 1MiB
timeouts: {{connect: 1s, first_byte: 5s, idle: 5s}}
providers:
  <providers>
aliases:
  then-bedrock: [openai/gpt-4o+status=503, bedrock/<claude>]
  bedrock-then-openai: [bedrock/<claude>+status=503, openai/gpt-4o]
"""
CONFIG = CONFIG.replace("<providers>", "\n  ".join(target.line for target in TARGETS + OTHERS))
CONFIG = CONFIG.replace("<claude>", BEDROCK_CLAUDE)


def fingerprint(key):
    """A credential as the mock shows it."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()[:12]


def system_of(wire, body):
    """What stands in a provider's request where its format has the system prompt."""
    if wire == "openai_chat":
        return json.dumps([m for m in body["messages"] if m["role"] in ("system", "developer")])
    if wire == "openai_responses":
        told = [item for item in body["input"] if item.get("role") in ("system", "developer")]
        return json.dumps([body.get("instructions"), told])
    if wire == "gemini":
        return json.dumps(body.get("systemInstruction"))
    return json.dumps(body.get("system"))
