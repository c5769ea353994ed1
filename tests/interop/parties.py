"""A relying party's requests, kept short: what each test is about is what it passes."""

import os

from fido2.attestation import Attestation, AttestationType
from fido2.cose import ES256, EdDSA
from fido2.ctap1 import APDU, ApduError

RP = {"id": "example.org", "name": "Example"}
USER = {"id": b"user-1", "name": "alice", "displayName": "Alice"}
ALGORITHMS = {"ES256": ES256, "EdDSA": EdDSA}


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


def register(ctap2, algorithm=ES256, user=USER, **arguments):
    """makeCredential, with its attestation verified."""
    data_hash = client_data_hash()
    attestation = ctap2.make_credential(data_hash, RP, user, parameters(algorithm), **arguments)
    verify_self_attestation(attestation.fmt, attestation.att_stmt, attestation.auth_data, data_hash)
    return attestation


def until_the_user_agreed(request):
    """U2F clients repeat a request until the user has agreed."""
    for _ in range(200):
        try:
            return request()
        except ApduError as refused:
            if refused.code != APDU.USE_NOT_SATISFIED:
                raise
    raise AssertionError("the key kept asking for the user")
