"""A website on localhost that judges with python-fido2: tells its page what ceremony to perform, verifies how it ended.

The browser keeps the page open from one part of a step to the next; each part is a program with a site of its own."""

import json
import os
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fido2.client import ClientData
from fido2.ctap2 import AttestationObject, AuthenticatorData
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import PublicKeyCredentialRpEntity

PORT = 8001
ORIGIN = f"http://localhost:{PORT}"
PATIENCE_SECONDS = 240

wanted = queue.Queue()
outcomes = queue.Queue()
rp = Fido2Server(PublicKeyCredentialRpEntity("localhost", "a website"), verify_origin=ORIGIN.__eq__)
accounts = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/wanted":
            self.answer("application/json", json.dumps(wanted.get()).encode())
        else:
            with open(os.path.join(os.path.dirname(__file__), "page.html"), "rb") as page:
                self.answer("text/html", page.read())

    def do_POST(self):
        outcomes.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer("text/plain", b"")

    def answer(self, content_type, body):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def as_json(value):
    """Options with their bytes in base64url."""
    if isinstance(value, bytes):
        return websafe_encode(value)
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items() if member is not None}
    if isinstance(value, (list, tuple)):
        return [as_json(member) for member in value]
    return value


class Ceremony:
    """A ceremony that the page has begun."""

    def __init__(self, kind, options, state):
        self.state = state
        wanted.put({kind: as_json(options)})

    def credential(self):
        outcome = outcomes.get(timeout=PATIENCE_SECONDS)
        assert "credential" in outcome, outcome
        return outcome["credential"]

    def fails(self):
        outcome = outcomes.get(timeout=PATIENCE_SECONDS)
        print("the page says", outcome)
        return outcome["error"]["name"]


class Registration(Ceremony):
    def __init__(self, name, extensions=None):
        self.name = name
        user = {"id": name.encode() * 4, "name": name, "displayName": name.title()}
        options, state = rp.register_begin(user, user_verification="required")
        options = options["publicKey"]
        options["authenticatorSelection"] = {
            "authenticatorAttachment": "cross-platform",
            "userVerification": "required",
            "residentKey": "required",
            "requireResidentKey": True,
        }
        super().__init__("create", options | {"extensions": extensions or {}}, state)

    def succeeds(self):
        """Verifies; gives the authenticator data and what the client says about extensions."""
        return registered(self.name, self.state, self.credential())


def registered(name, state, credential):
    """Verifies what a registration has given."""
    response, client = credential["response"], credential["clientExtensionResults"]
    data = rp.register_complete(
        state,
        ClientData(websafe_decode(response["clientDataJSON"])),
        AttestationObject(websafe_decode(response["attestationObject"])),
    )
    assert data.is_user_verified(), data
    accounts[name] = data.credential_data
    print(name, "is registered:", data.extensions, client)
    return data, client


class Login(Ceremony):
    def __init__(self, names=(), extensions=None, verification="required"):
        """Without names the key says who logs in."""
        known = [accounts[name] for name in names] or None
        options, state = rp.authenticate_begin(known, user_verification=verification)
        super().__init__("get", options["publicKey"] | {"extensions": extensions or {}}, state)

    def succeeds(self):
        """Verifies; gives the name and what the client says about extensions."""
        credential = self.credential()
        response, client = credential["response"], credential["clientExtensionResults"]
        data = AuthenticatorData(websafe_decode(response["authenticatorData"]))
        used = rp.authenticate_complete(
            self.state,
            list(accounts.values()),
            websafe_decode(credential["rawId"]),
            ClientData(websafe_decode(response["clientDataJSON"])),
            data,
            websafe_decode(response["signature"]),
        )
        assert data.is_user_verified(), data
        [name] = [name for name, known in accounts.items() if known == used]
        print(name, "is logged in:", client)
        return name, client
