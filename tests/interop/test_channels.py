"""Platforms differ in how they use channels. Some take a new one for each command, and expect nothing to be bound to
one; some are several at once."""

import os
from hashlib import sha256
from threading import Thread

import pytest
from fido2.ctap import STATUS, CtapDevice
from fido2.ctap2 import Ctap2
from fido2.ctap2.blob import LargeBlobs
from fido2.ctap2.credman import CredentialManagement
from fido2.ctap2.pin import ClientPin
from parties import (
    PERMISSION,
    PIN,
    RP,
    USER,
    client_data_hash,
    credential_of,
    descriptor,
    log_in,
    parameters,
    register,
    token_for,
)


class NewChannelForEachCommand(CtapDevice):
    def __init__(self, key):
        self.key = key
        with self.key.connect() as device:
            self._capabilities = device.capabilities

    @property
    def capabilities(self):
        return self._capabilities

    def call(self, *arguments):
        with self.key.connect() as device:
            return device.call(*arguments)

    def close(self):
        pass

    @classmethod
    def list_devices(cls):
        return iter(())


def test_nothing_is_bound_to_a_channel(key):
    ctap2 = Ctap2(NewChannelForEachCommand(key))
    ClientPin(ctap2).set_pin(PIN)
    for user in [b"alice", b"bob", b"carol"]:
        token = token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"])
        register(ctap2, user={"id": user}, options={"rk": True}, token=token)
    data_hash = client_data_hash()
    proof = token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"]).authenticate(data_hash)
    assertions = ctap2.get_assertions(RP["id"], data_hash, **proof)
    assert [assertion.user["id"] for assertion in assertions] == [b"carol", b"bob", b"alice"]

    token = token_for(ctap2, PERMISSION.CREDENTIAL_MGMT)
    credentials = CredentialManagement(ctap2, token.protocol, token.secret)
    assert len(credentials.enumerate_creds(sha256(RP["id"].encode()).digest())) == 3

    token = token_for(ctap2, PERMISSION.LARGE_BLOB_WRITE)
    large = [os.urandom(12_000)]
    LargeBlobs(ctap2, token.protocol, token.secret).write_blob_array(large)
    assert LargeBlobs(ctap2).read_blob_array() == large


def test_several_clients_take_turns(key):
    """A client that comes while the key is at work for another one is told to wait, and does."""
    failures = []

    def use():
        try:
            ctap2 = Ctap2(key.connect())
            for _ in range(5):
                credential = credential_of(register(ctap2, user={"id": os.urandom(16)}))
                log_in(ctap2, credential, allow_list=[descriptor(credential.credential_id)])
        except Exception as failure:
            failures.append(failure)

    clients = [Thread(target=use) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not failures


def test_who_leaves_takes_the_question_along(new_key):
    key = new_key(presence="ask")
    device = key.connect()

    def leave(status):
        if status == STATUS.UPNEEDED:
            device.close()

    with pytest.raises(OSError):
        Ctap2(device).make_credential(client_data_hash(), RP, USER, parameters(), on_keepalive=leave)
    next_one = Ctap2(key.connect())
    # This touch is for nobody else.
    key.control("/conformance/userpresence")
    next_one.selection()
