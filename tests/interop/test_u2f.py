"""U2F through python-fido2's CTAP1 client."""

from hashlib import sha256

import pytest
from fido2.ctap1 import APDU, ApduError, Ctap1
from parties import client_data_hash, until_the_user_agreed

APP = sha256(b"https://example.org").digest()
OTHER_APP = sha256(b"https://example.com").digest()


@pytest.fixture
def ctap1(device):
    return Ctap1(device)


def register(ctap1):
    challenge = client_data_hash()
    registration = until_the_user_agreed(lambda: ctap1.register(challenge, APP))
    registration.verify(APP, challenge)
    return registration


def test_version(ctap1):
    assert ctap1.get_version() == "U2F_V2"


def test_register_and_authenticate(ctap1):
    registration = register(ctap1)
    challenge = client_data_hash()
    signature = until_the_user_agreed(lambda: ctap1.authenticate(challenge, APP, registration.key_handle))
    signature.verify(APP, challenge, registration.public_key)
    assert signature.user_presence == 1


def test_check_only_says_whose_handle_it_is_and_signs_nothing(ctap1):
    registration = register(ctap1)
    for app, answer in [(APP, APDU.USE_NOT_SATISFIED), (OTHER_APP, APDU.WRONG_DATA)]:
        with pytest.raises(ApduError) as refused:
            ctap1.authenticate(client_data_hash(), app, registration.key_handle, check_only=True)
        assert refused.value.code == answer


def test_a_handle_is_of_no_use_to_another_site(ctap1):
    registration = register(ctap1)
    with pytest.raises(ApduError) as refused:
        ctap1.authenticate(client_data_hash(), OTHER_APP, registration.key_handle)
    assert refused.value.code == APDU.WRONG_DATA


def test_nothing_happens_without_the_user(new_key):
    key = new_key(presence="ask")
    ctap1 = Ctap1(key.connect())
    challenge = client_data_hash()
    with pytest.raises(ApduError) as refused:
        ctap1.register(challenge, APP)
    assert refused.value.code == APDU.USE_NOT_SATISFIED
    key.control("/conformance/userpresence")
    until_the_user_agreed(lambda: ctap1.register(challenge, APP)).verify(APP, challenge)
