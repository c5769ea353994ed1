"""authenticatorClientPIN: the PIN is set, changed and guessed; a token opens what it was asked for only."""

import pytest
from fido2.ctap2 import Ctap2
from fido2.ctap2.pin import ClientPin
from parties import (
    ERR,
    PERMISSION,
    PIN,
    RP,
    WRONG_PIN,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
    token_for,
)

OTHER_RP = {"id": "example.com", "name": "Another example"}
ATTEMPTS = 8
ATTEMPTS_PER_POWER_CYCLE = 3


def guess(client_pin, *statuses):
    with refused(*statuses):
        client_pin.get_pin_token(WRONG_PIN)


def test_a_pin_is_set_once_and_then_changed(ctap2, protocol):
    client_pin = ClientPin(ctap2, protocol)
    assert ctap2.get_info().options["clientPin"] is False
    with refused(ERR.PIN_NOT_SET):
        client_pin.get_pin_token(PIN)
    client_pin.set_pin(PIN)
    assert ctap2.get_info().options["clientPin"] is True
    with refused(ERR.PIN_AUTH_INVALID):
        client_pin.set_pin("another PIN")
    client_pin.change_pin(PIN, "another PIN")
    with refused(ERR.PIN_INVALID):
        client_pin.get_pin_token(PIN)
    client_pin.get_pin_token("another PIN")


@pytest.mark.parametrize("pin", ["1234", "🔑🗝🔒🔓", "a" * 63], ids=["shortest", "not-ascii", "longest"])
def test_what_can_be_a_pin(ctap2, protocol, pin):
    client_pin = ClientPin(ctap2, protocol)
    client_pin.set_pin(pin)
    client_pin.get_pin_token(pin)


def test_a_pin_that_is_too_long_is_refused(ctap2, protocol):
    with refused(ERR.PIN_POLICY_VIOLATION):
        ClientPin(ctap2, protocol).set_pin("a" * 64)
    assert ctap2.get_info().options["clientPin"] is False


def test_three_wrong_pins_in_a_row_need_a_replug(key, ctap2, with_pin, protocol):
    client_pin = ClientPin(ctap2, protocol)
    guess(client_pin, ERR.PIN_INVALID)
    guess(client_pin, ERR.PIN_INVALID)
    guess(client_pin, ERR.PIN_AUTH_BLOCKED)
    assert client_pin.get_pin_retries() == (5, True)
    # Not even the right one; and the counter stands still.
    with refused(ERR.PIN_AUTH_BLOCKED):
        client_pin.get_pin_token(PIN)
    with refused(ERR.PIN_AUTH_BLOCKED):
        client_pin.change_pin(PIN, "another PIN")
    assert client_pin.get_pin_retries() == (5, True)

    key.replug()
    client_pin = ClientPin(Ctap2(key.connect()), protocol)
    assert client_pin.get_pin_retries() == (5, False)
    client_pin.get_pin_token(PIN)
    assert client_pin.get_pin_retries() == (ATTEMPTS, False)


@pytest.mark.kept
def test_eight_wrong_pins_block_the_key_until_it_is_reset(key, ctap2, with_pin, protocol):
    credential = credential_of(register(ctap2))
    for attempt in range(ATTEMPTS):
        if attempt % ATTEMPTS_PER_POWER_CYCLE == 0:
            key.replug()
            client_pin = ClientPin(Ctap2(key.connect()), protocol)
        guess(client_pin, ERR.PIN_INVALID, ERR.PIN_AUTH_BLOCKED, ERR.PIN_BLOCKED)
        assert client_pin.get_pin_retries()[0] == ATTEMPTS - 1 - attempt

    key.crash()
    ctap2 = Ctap2(key.connect())
    client_pin = ClientPin(ctap2, protocol)
    with refused(ERR.PIN_BLOCKED):
        client_pin.get_pin_token(PIN)
    # What needs no PIN goes on.
    log_in(ctap2, credential, allow_list=[descriptor(credential.credential_id)])

    ctap2.reset()
    assert client_pin.get_pin_retries() == (ATTEMPTS, False)
    client_pin.set_pin(PIN)
    client_pin.get_pin_token(PIN)


@pytest.mark.kept
def test_wrong_pins_are_counted_through_crashes(key, ctap2, with_pin, protocol):
    for left in [7, 6, 5, 4, 3, 2, 1]:
        guess(ClientPin(Ctap2(key.connect()), protocol), ERR.PIN_INVALID)
        key.crash()
        assert ClientPin(Ctap2(key.connect()), protocol).get_pin_retries() == (left, False)


@pytest.mark.kept
def test_the_pin_is_still_there_after_a_crash(key, ctap2, protocol):
    ClientPin(ctap2, protocol).set_pin(PIN)
    key.crash()
    client_pin = ClientPin(Ctap2(key.connect()), protocol)
    client_pin.change_pin(PIN, "another PIN")
    key.crash()
    ClientPin(Ctap2(key.connect()), protocol).get_pin_token("another PIN")


def test_a_touch_uses_a_token_up(ctap2, with_pin, protocol):
    token = token_for(
        ctap2, PERMISSION.MAKE_CREDENTIAL | PERMISSION.GET_ASSERTION, RP["id"], protocol=protocol
    )
    credential = credential_of(register(ctap2, token=token))
    for request in [
        lambda: register(ctap2, token=token),
        lambda: log_in(ctap2, credential, token=token, allow_list=[descriptor(credential.credential_id)]),
    ]:
        with refused(ERR.PIN_AUTH_INVALID):
            request()


def test_a_look_ahead_leaves_the_token_as_it_is(ctap2, with_pin, protocol):
    credential = credential_of(register(ctap2))
    allowed = [descriptor(credential.credential_id)]
    token = token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol=protocol)
    for _ in range(3):
        log_in(ctap2, credential, token=token, allow_list=allowed, options={"up": False})
    log_in(ctap2, credential, token=token, allow_list=allowed)


def test_a_token_opens_what_it_was_asked_for_only(ctap2, with_pin, protocol):
    credential = credential_of(register(ctap2))
    may_get = token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"], protocol=protocol)
    with refused(ERR.PIN_AUTH_INVALID):
        register(ctap2, token=may_get)
    may_make = token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"], protocol=protocol)
    with refused(ERR.PIN_AUTH_INVALID):
        log_in(ctap2, credential, token=may_make, allow_list=[descriptor(credential.credential_id)])


def test_a_token_is_for_one_site(ctap2, with_pin, protocol):
    token = token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"], protocol=protocol)
    with refused(ERR.PIN_AUTH_INVALID):
        register(ctap2, rp=OTHER_RP, token=token)


def test_an_old_clients_token_is_for_the_first_site_that_uses_it(ctap2, with_pin, protocol):
    credential = credential_of(register(ctap2))
    allowed = [descriptor(credential.credential_id)]
    token = token_for(ctap2, permissions=None, protocol=protocol)
    log_in(ctap2, credential, token=token, allow_list=allowed, options={"up": False})
    with refused(ERR.PIN_AUTH_INVALID):
        register(ctap2, rp=OTHER_RP, token=token)
    register(ctap2, token=token)


def end_by_replug(key, _client_pin):
    key.replug()


def end_by_another_token(_key, client_pin):
    client_pin.get_pin_token(PIN, PERMISSION.GET_ASSERTION, RP["id"])


def end_by_a_new_pin(_key, client_pin):
    client_pin.change_pin(PIN, "another PIN")


@pytest.mark.parametrize("end", [end_by_replug, end_by_another_token, end_by_a_new_pin])
def test_what_ends_a_token(key, ctap2, with_pin, protocol, end):
    token = token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"], protocol=protocol)
    end(key, ClientPin(ctap2, protocol))
    with refused(ERR.PIN_AUTH_INVALID):
        register(Ctap2(key.connect()), token=token)


def test_permissions_that_mean_nothing_here_are_not_given(ctap2, with_pin, protocol):
    for permissions in [
        PERMISSION.BIO_ENROLL,
        PERMISSION.MAKE_CREDENTIAL | PERMISSION.BIO_ENROLL,
        # The token that lasts is for reading only.
        PERMISSION.PERSISTENT_CREDENTIAL_MGMT | PERMISSION.MAKE_CREDENTIAL,
    ]:
        with refused(ERR.UNAUTHORIZED_PERMISSION):
            token_for(ctap2, permissions, protocol=protocol)


def test_a_pin_demands_itself_for_passkeys_only(ctap2, with_pin):
    assert ctap2.get_info().options["makeCredUvNotRqd"] is True
    with refused(ERR.PUAT_REQUIRED):
        register(ctap2, options={"rk": True})
    credential = credential_of(register(ctap2, options={"rk": False}))
    log_in(ctap2, credential, allow_list=[descriptor(credential.credential_id)])
