"""The command: mistakes, the kill switch, a changed file."""

import os
import subprocess

import httpx

from gateway import CONDUIT, CONFIG, KEYS, WASM, free_port, wait_for

USER = [{"role": "user", "content": "Hello there"}]

MISTAKEN = """\
version: 1
listen: {{address: 127.0.0.1, port: {listen}}}
admin: {{address: 127.0.0.1, port: {admin}}}
providers:
  openai: {{api_key: "${{CONDUIT_E2E_NOT_SET}}"}}
  opnai: {{api_key: x}}
aliases:
  twice: [openai/gpt-4o, openai/gpt-4o]
routing:
  defalt: twice
  rules:
    - {{target: nowhere/model, when: {{all: [{{field: tokens, op: "~", value: 1}}]}}}}
"""


def test_every_mistake_is_reported_and_nothing_starts(tmp_path):
    listen = free_port()
    file = tmp_path / "bad.yaml"
    file.write_text(MISTAKEN.format(listen=listen, admin=free_port()))
    for verb in (["check", file], ["up", file, "--wasm", WASM, "--run-dir", tmp_path / "run"]):
        done = subprocess.run([CONDUIT, *verb], capture_output=True, text=True, timeout=60, env={**os.environ, **KEYS})
        assert done.returncode == 1, done
        for found in ("CONDUIT_E2E_NOT_SET", "opnai", "twice", "defalt", "nowhere", "~"):
            assert found in done.stderr, (found, done.stderr)
        lines = [line for line in done.stderr.splitlines() if f"{file}:" in line]
        assert len(lines) >= 6, done.stderr
    try:
        httpx.get(f"http://127.0.0.1:{listen}/health", trust_env=False, timeout=1)
        raise AssertionError("something listens")
    except httpx.ConnectError:
        pass


def test_the_kill_switch_passes_requests_untouched(make_gateway):
    config = CONFIG.replace("version: 1\n", "version: 1\nenabled: false\n")
    gateway = make_gateway(config, ready="/v1/models")
    gateway.openai_mock.forget()
    body = {"model": "gpt-4o", "messages": USER, "unknown": [1.50, None]}
    answer = gateway.post("/v1/chat/completions", body, headers={"authorization": "Bearer sk-own"})
    assert answer.status_code in (200, 400), answer.text
    [seen] = [seen for seen in gateway.openai_mock.requests() if seen["path"].endswith("/chat/completions")]
    assert seen["body"] == body
    assert seen["headers"]["authorization"].startswith("Bearer sha256:")
    assert "x-conduit-target" not in answer.headers
    assert gateway.records() == []


def test_a_changed_file_is_loaded_and_a_bad_one_is_not(make_gateway):
    gateway = make_gateway()

    def target(model):
        answer = gateway.post("/v1/chat/completions", {"model": model, "messages": USER})
        return answer.headers.get("x-conduit-target") if answer.status_code == 200 else answer.status_code

    assert target("fresh") == 404
    gateway.file.write_text(gateway.text.replace("aliases:\n", "aliases:\n  fresh: anthropic/claude-sonnet-4-5\n"))
    wait_for(lambda: target("fresh") == "anthropic/claude-sonnet-4-5", 15, "the new alias")
    gateway.file.write_text(gateway.text.replace("aliases:\n", "aliasses:\n"))
    wait_for(lambda: "aliasses" in gateway.up.output(), 15, "the mistake to be reported")
    assert target("fresh") == "anthropic/claude-sonnet-4-5"
    assert gateway.up.alive()
