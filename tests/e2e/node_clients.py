"""The Node.js SDKs with the face that the Python ones have in `clients`; they run in `node/clients.mjs`."""

import base64
import json
import pathlib
import shutil
import subprocess
import threading

from clients import CLIENT_KEY, Answer, Call, Client

FOLDER = pathlib.Path(__file__).parent / "node"


class Node:
    """One process for all of a session's questions, asked one after the other."""

    def __init__(self, url):
        if not (FOLDER / "node_modules").is_dir() or shutil.which("node") is None:
            raise AssertionError("Node.js or its packages are not installed: `make setup` installs both")
        self.child = subprocess.Popen(
            ["node", "clients.mjs", url, CLIENT_KEY],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = []
        threading.Thread(target=lambda: self.said.extend(self.child.stderr), daemon=True).start()

    def ask(self, question):
        self.child.stdin.write(json.dumps(question) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"node ended: {''.join(self.said)}"
        return json.loads(line)

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


class NodeError(Exception):
    """What an SDK threw."""

    def __init__(self, kind, status, message):
        super().__init__(f"{kind} {status}: {message}")
        self.kind, self.status_code = kind, status


ERRORS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}


class NodeClient(Client):
    errors = dict.fromkeys(ERRORS, NodeError)
    torn = NodeError

    def __init__(self, node, name, form):
        self.node, self.name, self.format = node, name, form

    def status(self, error):
        status = error.status_code
        kind = ERRORS[status] if self.name.startswith("node_") else "APICallError"
        assert error.kind == kind, error
        return status

    def put(self, ask, **more):
        turns = []
        for turn in ask.turns:
            if isinstance(turn, Answer):
                turns.append({"raw": turn.raw})
            elif turn.results:
                turns.append({"results": [{"call": vars(call), "text": text} for call, text in turn.results]})
            else:
                png = base64.b64encode(turn.png).decode() if turn.png else None
                turns.append({"text": turn.text, "png": png})
        said = self.node.ask({**vars(ask), "client": self.name, "turns": turns, **more})
        return said.get("answer"), said.get("error"), said["events"]

    def ask(self, ask):
        answer, error, events = self.put(ask)
        if error:
            raise NodeError(**error)
        calls = [Call(**call) for call in answer.pop("calls")]
        return Answer(**answer, calls=calls, pieces=events)

    def stream(self, ask):
        _, error, events = self.put(ask)
        yield from range(events)
        if error:
            raise NodeError(**error)

    def hang_up(self, ask, after):
        _, error, events = self.put(ask, after=after)
        assert error is None and events == after, (error, events)


# Each with its format; `ai_` are the Vercel AI SDK's.
NODE_CLIENTS = {
    "node_chat": "chat",
    "node_responses": "responses",
    "node_messages": "messages",
    "ai_chat": "chat",
    "ai_responses": "responses",
    "ai_messages": "messages",
}
