"""A gateway for tests: `conduit up` on free ports, in front of `conduit mock` processes."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import anthropic
import httpx
import openai

from clients import CLIENT_KEY

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONDUIT = ROOT / "target/release/conduit"
WASM = ROOT / "target/wasm32-wasip1/release/conduit.wasm"
LOAD = ROOT / "target/release/conduit-load"

KEYS = {"OPENAI_API_KEY": "sk-e2e-openai", "ANTHROPIC_API_KEY": "sk-ant-e2e"}

CONFIG = """\
version: 1
listen: {{address: 127.0.0.1, port: {listen}}}
admin: {{address: 127.0.0.1, port: {admin}}}
max_body: 1MiB
timeouts: {{connect: 1s, first_byte: 3s, idle: 3s}}
providers:
  openai: {{api_key: "${{OPENAI_API_KEY}}", url: "{openai}/v1"}}
  anthropic: {{api_key: "${{ANTHROPIC_API_KEY}}", url: "{anthropic}/v1"}}
  dead: {{kind: openai-compatible, url: "http://127.0.0.1:{dead}/v1"}}
models:
  dead/gone: {{price: {{input: 1.0, output: 2.0}}}}
aliases:
  smart: [openai/gpt-4o, anthropic/claude-sonnet-4-5]
  clever: [anthropic/claude-sonnet-4-5, openai/gpt-4o]
  after-dead: [dead/gone, anthropic/claude-sonnet-4-5]
  after-503: [openai/gpt-4o+status=503, anthropic/claude-sonnet-4-5]
  after-529: [anthropic/claude-sonnet-4-5+status=529, openai/gpt-4o]
  after-429: [openai/gpt-4o+status=429, openai/gpt-4o-mini, anthropic/claude-sonnet-4-5]
  resting: [openai/gpt-4o+status=429+retry-after=300, openai/gpt-4o-mini]
  after-hangup: [openai/gpt-4o+hangup, anthropic/claude-sonnet-4-5]
  after-slow: [openai/gpt-4o+delay=20000, anthropic/claude-sonnet-4-5]
  after-cut: [openai/gpt-4o+cut=60, anthropic/claude-sonnet-4-5]
  third: [openai/gpt-4o+status=500, anthropic/claude-sonnet-4-5+status=503, openai/gpt-4o-mini]
  nobody: [openai/gpt-4o+status=500, anthropic/claude-sonnet-4-5+status=503]
routing:
  default: smart
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


class Process:
    """A child with its output in a file; ended with the test, shown only on failure."""

    def __init__(self, name, arguments, folder, env=None):
        self.log = pathlib.Path(folder) / f"{name}.out"
        with self.log.open("wb") as out:
            self.child = subprocess.Popen(
                [str(a) for a in arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=folder,
            )

    def output(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self, seconds=10):
        if self.alive():
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()


class Mock:
    def __init__(self, name, folder, *options):
        self.process = Process(name, [CONDUIT, "mock", "--port", "0", *options], folder)
        at = wait_for(lambda: re.search(r"http://(127\.0\.0\.1:\d+)", self.process.output()), 20, "the mock")
        self.url = f"http://{at[1]}"

    def requests(self):
        return httpx.get(f"{self.url}/mock/requests", trust_env=False).json()

    def bill(self):
        """What each model was billed for."""
        return httpx.get(f"{self.url}/mock/bill", trust_env=False).json()["models"]

    def forget(self):
        httpx.delete(f"{self.url}/mock/requests", trust_env=False)


class Gateway:
    """`conduit up` in front of mocks: `{name}` in the configuration is the URL of the mock of that name."""

    def __init__(
        self, config=CONFIG, ready="/health", mocks=("openai", "anthropic"), env=KEYS, concurrency=2, wasm=WASM
    ):
        self.folder = tempfile.TemporaryDirectory(prefix="conduit-e2e-")
        folder = pathlib.Path(self.folder.name)
        self.mocks = {name: Mock(f"{name}-mock", folder) for name in mocks}
        self.listen, self.admin = free_port(), free_port()
        self.file = folder / "conduit.yaml"
        self.text = config.format(
            listen=self.listen,
            admin=self.admin,
            dead=free_port(),
            **{name: mock.url for name, mock in self.mocks.items()},
        )
        self.file.write_text(self.text)
        self.run = folder / "run"
        self.read, self.known = 0, []
        self.url = f"http://127.0.0.1:{self.listen}"
        self.command = [CONDUIT, "up", self.file, "--wasm", wasm, "--run-dir", self.run, "--concurrency", concurrency]
        self.env, self.ready = env, ready
        self.start()

    def start(self):
        self.up = Process("up", self.command, self.folder.name, self.env)
        try:
            wait_for(lambda: self.answers(self.ready), 90, "the gateway")
        except AssertionError:
            logs = self.logs()
            self.close()
            raise AssertionError(f"the gateway did not start\n{logs}") from None

    def answers(self, path):
        if not self.up.alive():
            raise AssertionError("conduit up ended")
        try:
            return httpx.get(f"{self.url}{path}", trust_env=False, timeout=2).status_code < 500
        except httpx.HTTPError:
            return False

    def logs(self):
        envoy = self.run / "envoy.log"
        tail = envoy.read_text(errors="replace")[-8000:] if envoy.exists() else "(none)"
        return f"--- conduit up\n{self.up.output()[-8000:]}\n--- envoy.log\n{tail}"

    def restart(self):
        self.up.stop()
        self.start()

    def close(self):
        self.up.stop()
        for mock in self.mocks.values():
            mock.process.stop()
        self.folder.cleanup()

    @property
    def openai_mock(self):
        return self.mocks["openai"]

    @property
    def anthropic_mock(self):
        return self.mocks["anthropic"]

    # --- clients

    def openai(self, **options):
        options = {"max_retries": 0, "timeout": 30, **options}
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=CLIENT_KEY, **options)

    def anthropic(self, **options):
        options = {"max_retries": 0, "timeout": 30, **options}
        return anthropic.Anthropic(base_url=self.url, api_key=CLIENT_KEY, **options)

    def post(self, path, body, **options):
        return httpx.post(f"{self.url}{path}", json=body, trust_env=False, timeout=30, **options)

    # --- what it reports

    def records(self):
        file = self.run / "access.jsonl"
        if file.exists():
            with file.open("rb") as lines:
                lines.seek(self.read)
                whole = lines.read().rpartition(b"\n")[0]
            if whole:
                self.read += len(whole) + 1
                self.known += [json.loads(line) for line in whole.split(b"\n")]
        return list(self.known)

    def recorded(self):
        """How many records there are, once no request is in flight or unwritten."""

        def settled():
            samples = self.metrics()
            sums = {name: sum(v for n, _, v in samples if n == name) for name in ("conduit_exchanges", "conduit_requests")}
            count = len(self.records())
            return sums["conduit_exchanges"] == 0 and sums["conduit_requests"] == count and (count,)

        return wait_for(settled, 15, "exchanges to end and records to be written")[0]

    def new_records(self, before, count=1):
        """The records beyond the first `before`, once there are `count` of them; no more may follow."""
        wait_for(lambda: len(self.records()) >= before + count, 10, f"{count} more records than {before}")
        found = self.records()[before:]
        assert len(found) == count, found
        return found

    def settled_records(self):
        """All records, once every exchange has its own."""
        self.recorded()
        return self.records()

    def metrics(self):
        """Samples of the Prometheus endpoint: (name, {label: value}, integer)."""
        text = httpx.get(f"http://127.0.0.1:{self.admin}/stats/prometheus", trust_env=False, timeout=10).text
        samples = []
        for line in text.splitlines():
            found = re.fullmatch(r"((?:conduit|gen_ai)\w*)\{(.*)\} (\d+)", line)
            if found:
                samples.append((found[1], dict(re.findall(r'(\w+)="([^"]*)"', found[2])), int(found[3])))
        return samples

    def gauge(self, name):
        return sum(value for found, _, value in self.metrics() if found == name)
