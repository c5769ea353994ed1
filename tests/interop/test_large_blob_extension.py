"""CTAP 2.3's other way to keep a relying party's data: with the passkey itself. python-fido2 does not know it yet, so
the answers are taken apart here."""

import os

import pytest
from fido2.ctap2 import AssertionResponse, Ctap2
from fido2.ctap2.blob import LargeBlobs
from fido2.server import Fido2Server
from parties import (
    ERR,
    RP,
    USER,
    client_data_hash,
    client_on,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
)

UNSIGNED_EXTENSION_OUTPUTS = 8


@pytest.fixture
def key(new_key):
    return new_key(arguments=["--large-blobs", "extension"])


@pytest.fixture
def credential(ctap2):
    asked = {"largeBlob": {"support": "required"}}
    attestation = register(ctap2, options={"rk": True}, extensions=asked)
    assert attestation.unsigned_extension_outputs == {"largeBlob": {"supported": True}}
    assert not attestation.auth_data.has_extension_data()
    return credential_of(attestation)


def access(ctap2, credential, inputs, **options):
    """getAssertion with these inputs; gives the outputs."""
    data_hash = client_data_hash()
    allow_list = [descriptor(credential.credential_id)]
    request = {1: RP["id"], 2: data_hash, 3: allow_list, 4: {"largeBlob": inputs}, 5: options}
    answer = dict(
        ctap2.send_cbor(Ctap2.CMD.GET_ASSERTION, {key: value for key, value in request.items() if value})
    )
    outputs = answer.pop(UNSIGNED_EXTENSION_OUTPUTS, None)
    AssertionResponse.from_dict(answer).verify(data_hash, credential.public_key)
    return outputs and outputs["largeBlob"]


def write(ctap2, credential, data, original_size):
    return access(ctap2, credential, {"write": data, "originalSize": original_size})


def test_one_way_excludes_the_other(ctap2):
    assert "largeBlob" in ctap2.info.extensions
    assert "largeBlobKey" not in ctap2.info.extensions
    assert "largeBlobs" not in ctap2.info.options
    assert not LargeBlobs.is_supported(ctap2.info)
    with refused(ERR.INVALID_COMMAND):
        ctap2.large_blobs(0, get=17)


@pytest.mark.kept
def test_a_blob_is_written_read_and_written_over(key, ctap2, credential):
    assert access(ctap2, credential, {"read": True}) is None
    for length in [0, 1, 3000, 10]:
        data = os.urandom(length)
        assert write(ctap2, credential, data, length * 3) == {"written": True}
        key.crash()
        ctap2 = Ctap2(key.connect())
        assert access(ctap2, credential, {"read": True}) == {"blob": data, "originalSize": length * 3}
    # Who does not ask for it does not get it.
    log_in(ctap2, credential)
    assert access(ctap2, credential, {"read": True}, up=False) == {"blob": data, "originalSize": 30}


def test_a_blob_that_is_too_long_leaves_the_old_one(ctap2, credential):
    for length, is_kept in [(3072, True), (3073, False)]:
        assert write(ctap2, credential, bytes(length), 0) == {"written": is_kept}
        assert len(access(ctap2, credential, {"read": True})["blob"]) == 3072


def test_what_is_not_stored_has_no_blob(ctap2):
    preferred, required = ({"largeBlob": {"support": support}} for support in ["preferred", "required"])
    attestation = register(ctap2, extensions=preferred)
    assert attestation.unsigned_extension_outputs == {"largeBlob": {"supported": False}}
    with refused(ERR.UNSUPPORTED_OPTION):
        register(ctap2, extensions=required)
    credential = credential_of(attestation)
    assert write(ctap2, credential, b"data", 4) == {"written": False}


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"read": False},
        {"read": True, "write": b"", "originalSize": 0},
        {"write": b""},
        {"write": b"", "originalSize": -1},
    ],
)
def test_malformed_inputs_are_refused(ctap2, credential, inputs):
    with refused(ERR.INVALID_CBOR):
        access(ctap2, credential, inputs)


def test_a_browser_of_today_is_told_that_there_are_none(device):
    server = Fido2Server(RP)
    options, state = server.register_begin(
        USER, resident_key_requirement="required", user_verification="discouraged"
    )
    wanted = {**options.public_key, "extensions": {"largeBlob": {"support": "preferred"}}}
    answer = client_on(device).make_credential(wanted)
    server.register_complete(state, answer)
    assert answer.client_extension_results.large_blob.supported is False
