"""Built-in user verification: the key asks for its owner, and needs no PIN from the platform."""

from hashlib import sha256
from threading import Event

import pytest
from fido2.ctap import STATUS
from fido2.ctap2 import Ctap2
from fido2.ctap2.blob import LargeBlobs
from fido2.ctap2.config import Config
from fido2.ctap2.credman import CredentialManagement
from fido2.ctap2.pin import ClientPin
from fido2.server import Fido2Server
from parties import (
    ERR,
    PERMISSION,
    PIN,
    RP,
    USER,
    Person,
    Token,
    client_data_hash,
    client_on,
    credential_of,
    descriptor,
    log_in,
    parameters,
    refused,
    register,
)

VERIFIED, DECLINED, NOT_VERIFIED = 0, 1, 2
ATTEMPTS = 8
ATTEMPTS_PER_COMMAND = 3


class VerifyCommand:
    """A program that knows the owner, or not, as the test wants."""

    def __init__(self, folder):
        self.folder = folder
        self.program = folder / "verify"
        self.program.write_text(
            '#!/bin/sh\ncd "${0%/*}"\necho >> asked\nread answer < answer\nexit "$answer"\n'
        )
        self.program.chmod(0o700)
        self.answer(VERIFIED)

    def answer(self, code):
        (self.folder / "answer").write_text(f"{code}\n")

    def times_asked(self):
        asked = self.folder / "asked"
        return asked.stat().st_size if asked.exists() else 0


@pytest.fixture
def owner(tmp_path):
    return VerifyCommand(tmp_path)


@pytest.fixture
def key(new_key, owner):
    return new_key(arguments=["--verify-command", str(owner.program)])


def token_by_verification(ctap2, permissions, rp_id=None, protocol=None):
    client_pin = ClientPin(ctap2, protocol)
    return Token(client_pin.protocol, client_pin.get_uv_token(permissions, rp_id))


def is_verified(answer):
    return answer.auth_data.is_user_verified()


def test_info_tells_of_it(ctap2):
    assert ctap2.info.options["uv"] is True
    assert ctap2.info.options["clientPin"] is False
    assert ctap2.info.uv_modality
    assert ctap2.info.preferred_platform_uv_attempts >= 1
    assert ctap2.info.uv_count_since_pin == 0


def test_info_tells_when_it_is_not_set_up(new_key, tmp_path):
    key = new_key(arguments=["--verify-command", str(tmp_path / "no such program")])
    ctap2 = Ctap2(key.connect())
    assert ctap2.info.options["uv"] is False
    with refused(ERR.INVALID_OPTION):
        register(ctap2, options={"uv": True})
    with refused(ERR.NOT_ALLOWED):
        token_by_verification(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"])


def test_info_tells_nothing_where_there_is_none(new_key):
    ctap2 = Ctap2(new_key().connect())
    assert "uv" not in ctap2.info.options
    assert ctap2.info.uv_count_since_pin is None
    with refused(ERR.INVALID_OPTION):
        register(ctap2, options={"uv": True})


def test_a_request_can_ask_for_it(ctap2, owner):
    attestation = ctap2.make_credential(
        client_data_hash(), RP, USER, parameters(), options={"rk": True, "uv": True}
    )
    assert is_verified(attestation)
    data_hash = client_data_hash()
    assertion = ctap2.get_assertion(RP["id"], data_hash, options={"uv": True})
    assertion.verify(data_hash, credential_of(attestation).public_key)
    assert is_verified(assertion)
    assert assertion.user == USER
    assert owner.times_asked() == 2
    # Who does not ask gets neither the flag nor the names.
    assertion = log_in(ctap2, credential_of(attestation))
    assert assertion.user == {"id": USER["id"]}
    assert owner.times_asked() == 2


def test_a_passkey_is_not_made_without_it(ctap2):
    with refused(ERR.OPERATION_DENIED):
        register(ctap2, options={"rk": True})
    ClientPin(ctap2).set_pin(PIN)
    with refused(ERR.PUAT_REQUIRED):
        register(ctap2, options={"rk": True})


@pytest.mark.parametrize("resident", ["required", "discouraged"])
def test_a_browser_asks_for_no_pin(device, owner, resident):
    person = Person()
    server, client = Fido2Server(RP), client_on(device, person)
    options, state = server.register_begin(
        USER, resident_key_requirement=resident, user_verification="required"
    )
    registered = server.register_complete(state, client.make_credential(options.public_key))
    credentials = [registered.credential_data]
    options, state = server.authenticate_begin(credentials, user_verification="required")
    answer = client.get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, credentials, answer)
    assert answer.response.authenticator_data.is_user_verified()
    assert (person.asked_for_pin, owner.times_asked()) == (0, 2)


def test_its_tokens_open_everything(ctap2, protocol):
    token = token_by_verification(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"], protocol)
    credential = credential_of(register(ctap2, token=token, options={"rk": True}))
    token = token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)
    log_in(ctap2, credential, token=token)
    with refused(ERR.PIN_AUTH_INVALID):
        log_in(ctap2, credential, token=token)

    token = token_by_verification(ctap2, PERMISSION.CREDENTIAL_MGMT, protocol=protocol)
    credentials = CredentialManagement(ctap2, token.protocol, token.secret)
    (entry,) = credentials.enumerate_creds(sha256(RP["id"].encode()).digest())
    assert entry[CredentialManagement.RESULT.CREDENTIAL_ID] == descriptor(credential.credential_id)

    token = token_by_verification(ctap2, PERMISSION.LARGE_BLOB_WRITE, protocol=protocol)
    LargeBlobs(ctap2, token.protocol, token.secret).write_blob_array([b"anything"])

    assert ctap2.info.options["uvAcfg"] is True
    token = token_by_verification(ctap2, PERMISSION.AUTHENTICATOR_CFG, protocol=protocol)
    Config(ctap2, token.protocol, token.secret).set_min_pin_length(min_pin_length=6)
    assert ctap2.get_info().min_pin_length == 6

    lasting = token_by_verification(ctap2, PERMISSION.PERSISTENT_CREDENTIAL_MGMT, protocol=protocol)
    credentials = CredentialManagement(ctap2, lasting.protocol, lasting.secret)
    assert credentials.get_metadata()[CredentialManagement.RESULT.EXISTING_CRED_COUNT] == 1


@pytest.mark.kept
def test_too_many_failures_end_it_until_the_pin_is_entered(key, ctap2, owner, protocol):
    ClientPin(ctap2, protocol).set_pin(PIN)
    owner.answer(NOT_VERIFIED)
    for status, left in [(ERR.UV_INVALID, 5), (ERR.UV_INVALID, 2), (ERR.UV_BLOCKED, 0)]:
        with refused(status):
            token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)
        key.crash()
        ctap2 = Ctap2(key.connect())
        assert ClientPin(ctap2, protocol).get_uv_retries() == left
    assert owner.times_asked() == ATTEMPTS

    owner.answer(VERIFIED)
    with refused(ERR.UV_BLOCKED):
        token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)
    assert owner.times_asked() == ATTEMPTS
    client_pin = ClientPin(ctap2, protocol)
    client_pin.get_pin_token(PIN)
    assert client_pin.get_uv_retries() == ATTEMPTS
    token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)


def test_a_failure_in_the_middle_of_a_request(ctap2, owner):
    credential = credential_of(register(ctap2))
    allowed = [descriptor(credential.credential_id)]
    owner.answer(NOT_VERIFIED)
    with refused(ERR.OPERATION_DENIED):
        ctap2.make_credential(client_data_hash(), RP, USER, parameters(), options={"uv": True})
    assert owner.times_asked() == ATTEMPTS_PER_COMMAND
    with refused(ERR.OPERATION_DENIED):
        ctap2.get_assertion(RP["id"], client_data_hash(), allowed, options={"uv": True})
    ClientPin(ctap2).set_pin(PIN)
    with refused(ERR.PUAT_REQUIRED):
        ctap2.get_assertion(RP["id"], client_data_hash(), allowed, options={"uv": True})
    owner.answer(VERIFIED)
    with refused(ERR.PIN_BLOCKED):
        ctap2.make_credential(client_data_hash(), RP, USER, parameters(), options={"uv": True})


def test_a_browser_goes_on_with_the_pin(device, ctap2, owner):
    ClientPin(ctap2).set_pin(PIN)
    owner.answer(NOT_VERIFIED)
    for _ in range(3):
        with refused(ERR.UV_INVALID, ERR.UV_BLOCKED):
            token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"])
    person = Person()
    server = Fido2Server(RP)
    options, state = server.register_begin(USER, user_verification="required")
    answer = client_on(device, person).make_credential(options.public_key)
    assert server.register_complete(state, answer).is_user_verified()
    assert (person.asked_for_pin, owner.times_asked()) == (1, ATTEMPTS)


def test_who_declines_has_not_failed(ctap2, owner, protocol):
    owner.answer(DECLINED)
    with refused(ERR.OPERATION_DENIED):
        token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)
    with refused(ERR.OPERATION_DENIED):
        ctap2.make_credential(client_data_hash(), RP, USER, parameters(), options={"uv": True})
    assert owner.times_asked() == 2
    assert ClientPin(ctap2, protocol).get_uv_retries() == ATTEMPTS


@pytest.mark.kept
def test_verifications_are_counted_until_the_pin_is_entered(key, ctap2, protocol):
    ClientPin(ctap2, protocol).set_pin(PIN)
    for count in [1, 2, 3]:
        token_by_verification(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol)
        assert ctap2.get_info().uv_count_since_pin == count
    key.crash()
    ctap2 = Ctap2(key.connect())
    assert ctap2.info.uv_count_since_pin == 3
    ClientPin(ctap2, protocol).get_pin_token(PIN)
    assert ctap2.get_info().uv_count_since_pin == 0


def test_always_uv_verifies_without_being_asked_to(ctap2, owner):
    credential = credential_of(register(ctap2))
    token = token_by_verification(ctap2, PERMISSION.AUTHENTICATOR_CFG)
    Config(ctap2, token.protocol, token.secret).toggle_always_uv()
    before = owner.times_asked()
    assert is_verified(ctap2.make_credential(client_data_hash(), RP, USER, parameters()))
    allowed = [descriptor(credential.credential_id)]
    assert is_verified(ctap2.get_assertion(RP["id"], client_data_hash(), allowed))
    assert owner.times_asked() == before + 2
    owner.answer(DECLINED)
    with refused(ERR.OPERATION_DENIED):
        ctap2.make_credential(client_data_hash(), RP, USER, parameters())


def test_the_platform_waits_for_the_owner(new_key):
    key = new_key(arguments=["--verification", "control"])
    ctap2 = Ctap2(key.connect())
    heard = []

    def verify(status):
        heard.append(status)
        if status == STATUS.UPNEEDED:
            key.control("/verify/ok")

    assert ClientPin(ctap2).get_uv_token(PERMISSION.GET_ASSERTION, RP["id"], on_keepalive=verify)
    assert heard[-1] == STATUS.UPNEEDED


def test_cancel_ends_the_wait_for_the_owner(new_key):
    ctap2 = Ctap2(new_key(arguments=["--verification", "never"]).connect())
    for request in [
        lambda **how: ClientPin(ctap2).get_uv_token(PERMISSION.MAKE_CREDENTIAL, RP["id"], **how),
        lambda **how: ctap2.make_credential(
            client_data_hash(), RP, USER, parameters(), options={"uv": True}, **how
        ),
    ]:
        cancelled = Event()
        with refused(ERR.KEEPALIVE_CANCEL):
            request(event=cancelled, on_keepalive=lambda _status, cancelled=cancelled: cancelled.set())
    assert ClientPin(ctap2).get_uv_retries() == ATTEMPTS
