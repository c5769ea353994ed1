"""CTAPHID as python-fido2 speaks it."""

import os

import pytest
from fido2.ctap import CtapError
from fido2.hid import CAPABILITY, CTAPHID


def test_init_tells_version_and_capabilities(device):
    assert device.version == 2
    assert device.capabilities == CAPABILITY.WINK | CAPABILITY.CBOR


# One packet holds 57 bytes, each further one 59; 7609 bytes are 129 packets, the most there can be.
@pytest.mark.parametrize("length", [0, 1, 56, 57, 58, 116, 117, 1024, 7608, 7609])
def test_ping_comes_back_unchanged(device, length):
    data = os.urandom(length)
    assert device.ping(data) == data


def test_a_message_that_is_too_long_is_refused_and_the_next_is_answered(device):
    with pytest.raises(CtapError) as refused:
        device.ping(bytes(7610))
    assert refused.value.code == CtapError.ERR.INVALID_LENGTH
    # The rest of the message is ignored; only then is the channel used again.
    assert device.ping(b"still here") == b"still here"


def test_wink_is_answered(device):
    device.wink()


def test_an_unknown_command_is_refused(device):
    with pytest.raises(CtapError) as refused:
        device.call(CTAPHID.VENDOR_FIRST)
    assert refused.value.code == CtapError.ERR.INVALID_COMMAND


def test_two_clients_have_two_channels(key):
    first, second = key.connect(), key.connect()
    assert first._channel_id != second._channel_id
    assert first.ping(b"first") == b"first"
    assert second.ping(b"second") == b"second"
    assert first.ping(b"first again") == b"first again"


def test_a_client_may_come_and_go_often(key):
    for _ in range(50):
        device = key.connect()
        assert device.ping(b"hello") == b"hello"
        device.close()
