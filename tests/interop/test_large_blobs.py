"""What relying parties keep on the key: one array that the platform encrypts."""

import os
from hashlib import sha256

import pytest
from fido2 import cbor
from fido2.ctap2 import Ctap2
from fido2.ctap2.blob import LargeBlobs
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from parties import (
    ERR,
    PERMISSION,
    RP,
    client_on,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
    token_for,
)


def large_blobs(ctap2, protocol):
    token = token_for(ctap2, PERMISSION.LARGE_BLOB_WRITE, protocol=protocol)
    return LargeBlobs(ctap2, token.protocol, token.secret)


@pytest.mark.kept
def test_the_array_is_empty_at_first_and_needs_no_pin_while_there_is_none(key, ctap2):
    assert LargeBlobs(ctap2).read_blob_array() == []
    LargeBlobs(ctap2).write_blob_array([b"anything"])
    key.crash()
    assert LargeBlobs(Ctap2(key.connect())).read_blob_array() == [b"anything"]


@pytest.mark.kept
def test_an_array_longer_than_a_message_survives_a_crash(key, ctap2, with_pin, protocol):
    blob_key, data = os.urandom(32), os.urandom(15_000)
    assert len(data) > ctap2.info.max_msg_size
    large_blobs(ctap2, protocol).put_blob(blob_key, data)
    key.crash()
    assert LargeBlobs(Ctap2(key.connect())).get_blob(blob_key) == data


def test_there_is_room_for_as_much_as_is_promised(ctap2, with_pin, protocol):
    blobs = large_blobs(ctap2, protocol)
    room = ctap2.info.max_large_blob - 16  # for the check
    overhead = len(cbor.encode([bytes(room - 8)])) - (room - 8)
    fits = [os.urandom(room - overhead)]
    blobs.write_blob_array(fits)
    assert blobs.read_blob_array() == fits
    with refused(ERR.LARGE_BLOB_STORAGE_FULL):
        blobs.write_blob_array([bytes(room - overhead + 1)])
    assert blobs.read_blob_array() == fits


def test_a_write_that_does_not_end_changes_nothing(ctap2):
    LargeBlobs(ctap2).write_blob_array([b"kept"])
    half = os.urandom(4000)
    ctap2.large_blobs(0, set=half, length=8000)
    assert LargeBlobs(ctap2).read_blob_array() == [b"kept"]
    # The first half is forgotten, since the array was read.
    with refused(ERR.INVALID_SEQ):
        ctap2.large_blobs(4000, set=half)


def test_an_unsound_array_changes_nothing(ctap2):
    LargeBlobs(ctap2).write_blob_array([b"kept"])
    array = cbor.encode([b"new"])
    check = sha256(array).digest()[:16]
    with refused(ERR.INTEGRITY_FAILURE):
        ctap2.large_blobs(0, set=array + check[::-1], length=len(array) + 16)
    assert LargeBlobs(ctap2).read_blob_array() == [b"kept"]
    ctap2.large_blobs(0, set=array + check, length=len(array) + 16)
    assert LargeBlobs(ctap2).read_blob_array() == [b"new"]


def test_writing_needs_the_pin_and_reading_does_not(ctap2, with_pin, protocol):
    with refused(ERR.PUAT_REQUIRED):
        LargeBlobs(ctap2).write_blob_array([])
    token = token_for(ctap2, PERMISSION.CREDENTIAL_MGMT, protocol=protocol)
    with refused(ERR.PIN_AUTH_INVALID):
        LargeBlobs(ctap2, token.protocol, token.secret).write_blob_array([])
    assert LargeBlobs(ctap2).read_blob_array() == []


def test_a_reset_empties_the_array(key, ctap2):
    LargeBlobs(ctap2).write_blob_array([b"anything"])
    key.replug()
    ctap2 = Ctap2(key.connect())
    ctap2.reset()
    assert LargeBlobs(ctap2).read_blob_array() == []


@pytest.mark.kept
def test_each_passkey_has_a_key_of_its_own(key, ctap2):
    made = []
    for user in [b"alice", b"bob", b"carol"]:
        asked = {"largeBlobKey": True}
        attestation = register(ctap2, user={"id": user}, options={"rk": True}, extensions=asked)
        made.append((credential_of(attestation), attestation.large_blob_key))
    assert len({blob_key for _, blob_key in made}) == 3
    made.append((credential_of(register(ctap2, user={"id": b"dave"}, options={"rk": True})), None))
    # Only what is stored has one.
    with refused(ERR.INVALID_OPTION):
        register(ctap2, extensions={"largeBlobKey": True})

    key.crash()
    ctap2 = Ctap2(key.connect())
    for credential, blob_key in made:
        allowed = [descriptor(credential.credential_id)]
        assertion = log_in(ctap2, credential, allow_list=allowed, extensions={"largeBlobKey": True})
        assert assertion.large_blob_key == blob_key


def test_two_accounts_through_a_browser(device, with_pin):
    server, client = Fido2Server(RP), client_on(device)

    def log_in_with(credential, large_blob):
        options, state = server.authenticate_begin([credential], user_verification="required")
        wanted = {**options.public_key, "extensions": {"largeBlob": large_blob}}
        answer = client.get_assertion(wanted).get_response(0)
        server.authenticate_complete(state, [credential], answer)
        return answer.client_extension_results.large_blob

    blobs = []
    for name in ["alice", "bob"]:
        options, state = server.register_begin(
            {"id": name.encode(), "name": name},
            resident_key_requirement="required",
            user_verification="required",
        )
        wanted = {**options.public_key, "extensions": {"largeBlob": {"support": "required"}}}
        answer = client.make_credential(wanted)
        assert answer.client_extension_results.large_blob.supported
        credential = server.register_complete(state, answer).credential_data
        assert log_in_with(credential, {"read": True}).blob is None
        blob = f"what {name} keeps".encode()
        assert log_in_with(credential, {"write": websafe_encode(blob)}).written
        blobs.append((credential, blob))
    for credential, blob in blobs:
        assert log_in_with(credential, {"read": True}).blob == blob


@pytest.mark.parametrize("what", ["offset", "both", "neither"])
def test_a_request_that_makes_no_sense_is_refused(ctap2, what):
    requests = {
        "offset": {"offset": 18, "get": 1},
        "both": {"offset": 0, "get": 1, "set": bytes(17), "length": 17},
        "neither": {"offset": 0},
    }
    with refused(ERR.INVALID_PARAMETER):
        ctap2.large_blobs(**requests[what])
