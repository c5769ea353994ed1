"""What an older python-fido2 does with a key: run by test_older_clients.py, as `python older_client.py SOCKET`, with
that version in PYTHONPATH. Only what all of them have is used."""

import os
import socket
import sys

import fido2
from fido2.ctap2 import ClientPin, Config, CredentialManagement, Ctap2, LargeBlobs
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

PIN = "271828"
RP_ID = "example.org"
USER = {"id": b"alice", "name": "alice", "displayName": "Alice"}
PERMISSION = ClientPin.PERMISSION


class Connection(CtapHidConnection):
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def write_packet(self, data):
        self.socket.sendall(data)

    def read_packet(self):
        return self.socket.recv(64, socket.MSG_WAITALL)

    def close(self):
        self.socket.close()


def connect(path):
    return CtapHidDevice(HidDescriptor(path, 0x1209, 0, 64, 64, "wardkey", None), Connection(path))


def token_for(ctap2, permission, rp_id=None):
    client_pin = ClientPin(ctap2)
    return client_pin.protocol, client_pin.get_pin_token(PIN, permission, rp_id)


def proof_for(ctap2, permission, data_hash):
    protocol, token = token_for(ctap2, permission, RP_ID)
    return {"pin_uv_param": protocol.authenticate(token, data_hash), "pin_uv_protocol": protocol.VERSION}


def use(path):
    ctap2 = Ctap2(connect(path))
    assert "FIDO_2_1" in ctap2.info.versions
    assert ctap2.info.options["clientPin"] is False
    ClientPin(ctap2).set_pin(PIN)
    assert ClientPin(ctap2).get_pin_retries()[0] == 8

    data_hash = os.urandom(32)
    attestation = ctap2.make_credential(
        data_hash,
        {"id": RP_ID, "name": "Example"},
        USER,
        [{"type": "public-key", "alg": -7}],
        options={"rk": True},
        extensions={"hmac-secret": True, "credProtect": 2},
        **proof_for(ctap2, PERMISSION.MAKE_CREDENTIAL, data_hash),
    )
    assert attestation.auth_data.extensions == {"hmac-secret": True, "credProtect": 2}
    credential = attestation.auth_data.credential_data
    proof = proof_for(ctap2, PERMISSION.GET_ASSERTION, data_hash)
    assertion = ctap2.get_assertion(RP_ID, data_hash, **proof)
    assertion.verify(data_hash, credential.public_key)
    assert assertion.user == USER

    protocol, token = token_for(ctap2, PERMISSION.CREDENTIAL_MGMT)
    credentials = CredentialManagement(ctap2, protocol, token)
    (rp,) = credentials.enumerate_rps()
    (entry,) = credentials.enumerate_creds(rp[CredentialManagement.RESULT.RP_ID_HASH])
    assert entry[CredentialManagement.RESULT.USER] == USER
    credentials.delete_cred(entry[CredentialManagement.RESULT.CREDENTIAL_ID])
    assert credentials.get_metadata()[CredentialManagement.RESULT.EXISTING_CRED_COUNT] == 0

    large_blobs = LargeBlobs(ctap2, *token_for(ctap2, PERMISSION.LARGE_BLOB_WRITE))
    large_blobs.put_blob(bytes(32), b"data")
    assert large_blobs.get_blob(bytes(32)) == b"data"

    Config(ctap2, *token_for(ctap2, PERMISSION.AUTHENTICATOR_CFG)).toggle_always_uv()
    # The key no longer speaks U2F, and an older client takes that well, too.
    assert "U2F_V2" not in Ctap2(connect(path)).info.versions


if __name__ == "__main__":
    assert fido2.__file__.startswith(os.environ["PYTHONPATH"]), fido2.__file__
    use(sys.argv[1])
