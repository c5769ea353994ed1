"""What relying parties and platforms ask of a key, kept short: what each test is about is what it passes."""

import os
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from fido2.attestation import Attestation, AttestationType
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.cose import ES256, ES384, ESP256, ESP384, Ed25519, EdDSA
from fido2.ctap import CtapError
from fido2.ctap1 import APDU, ApduError
from fido2.ctap2.pin import ClientPin, PinProtocol

RP = {"id": "example.org", "name": "Example"}
ORIGIN = "https://example.org"
USER = {"id": b"user-1", "name": "alice", "displayName": "Alice"}
PIN = "271828"
WRONG_PIN = "314159"
ERR = CtapError.ERR
PERMISSION = ClientPin.PERMISSION
ALGORITHMS = {algorithm.__name__: algorithm for algorithm in [ES256, EdDSA, ES384, ESP256, ESP384, Ed25519]}


def client_data_hash():
    return os.urandom(32)


def parameters(*algorithms):
    return [{"type": "public-key", "alg": algorithm.ALGORITHM} for algorithm in algorithms or (ES256,)]


def descriptor(credential_id):
    return {"type": "public-key", "id": credential_id}


def credential_of(attestation):
    return attestation.auth_data.credential_data


def verify_self_attestation(format_name, statement, auth_data, data_hash):
    """fido2's own verifier; and it must have found the credential's own key behind the signature."""
    result = Attestation.for_type(format_name)().verify(statement, auth_data, data_hash)
    assert result.attestation_type == AttestationType.SELF
    assert result.trust_path == []


@dataclass
class Token:
    """A pinUvAuthToken."""

    protocol: PinProtocol
    secret: bytes

    def authenticate(self, message):
        """The arguments that show a command to come from the holder of this token."""
        return {
            "pin_uv_protocol": self.protocol.VERSION,
            "pin_uv_param": self.protocol.authenticate(self.secret, message),
        }


def token_for(ctap2, permissions, rp_id=None, pin=PIN, protocol=None):
    client_pin = ClientPin(ctap2, protocol)
    return Token(client_pin.protocol, client_pin.get_pin_token(pin, permissions, rp_id))


def register(ctap2, algorithm=ES256, user=USER, rp=RP, token=None, **arguments):
    """makeCredential, with its attestation verified."""
    data_hash = client_data_hash()
    if token:
        arguments.update(token.authenticate(data_hash))
    attestation = ctap2.make_credential(data_hash, rp, user, parameters(algorithm), **arguments)
    verify_self_attestation(attestation.fmt, attestation.att_stmt, attestation.auth_data, data_hash)
    assert attestation.auth_data.is_user_verified() == (token is not None)
    return attestation


def log_in(ctap2, credential, rp=RP, token=None, allow_list=None, **arguments):
    """getAssertion, with its signature verified to be this credential's."""
    data_hash = client_data_hash()
    if token:
        arguments.update(token.authenticate(data_hash))
    assertion = ctap2.get_assertion(rp["id"], data_hash, allow_list, **arguments)
    assertion.verify(data_hash, credential.public_key)
    assert assertion.credential["id"] == credential.credential_id
    assert assertion.auth_data.is_user_verified() == (token is not None)
    return assertion


@contextmanager
def refused(*statuses):
    with pytest.raises(CtapError) as refusal:
        yield
    assert refusal.value.code in statuses, refusal.value


class Person(UserInteraction):
    """Who sits in front of the platform: knows a PIN, or thinks so."""

    def __init__(self, pin=PIN):
        self.pin = pin
        self.asked_for_pin = 0

    def request_pin(self, permissions, rp_id):
        self.asked_for_pin += 1
        return self.pin

    def request_uv(self, permissions, rp_id):
        return True


def client_on(device, person=None, **options):
    """What a browser does with a key."""
    return Fido2Client(device, DefaultClientDataCollector(ORIGIN), person or Person(), **options)


def until_the_user_agreed(request):
    """U2F clients repeat a request until the user has agreed."""
    for _ in range(200):
        try:
            return request()
        except ApduError as refused:
            if refused.code != APDU.USE_NOT_SATISFIED:
                raise
    raise AssertionError("the key kept asking for the user")
