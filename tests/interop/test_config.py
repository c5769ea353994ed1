"""authenticatorConfig: settings of the key, which survive everything but a reset."""

from hashlib import sha256
from threading import Event

import pytest
from fido2.client import ClientError
from fido2.ctap import STATUS
from fido2.ctap1 import Ctap1
from fido2.ctap2 import Ctap2
from fido2.ctap2.config import Config
from fido2.ctap2.pin import ClientPin
from fido2.hid import CAPABILITY
from fido2.server import Fido2Server
from parties import (
    ERR,
    PERMISSION,
    PIN,
    RP,
    USER,
    Person,
    client_data_hash,
    client_on,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
    token_for,
    until_the_user_agreed,
)

ENABLE_LONG_TOUCH_FOR_RESET = 0x04


def config(ctap2, protocol=None, pin=PIN):
    token = token_for(ctap2, PERMISSION.AUTHENTICATOR_CFG, pin=pin, protocol=protocol)
    return Config(ctap2, token.protocol, token.secret)


def test_settings_need_the_pin_when_there_is_one(ctap2, with_pin, protocol):
    other = token_for(ctap2, PERMISSION.CREDENTIAL_MGMT, protocol=protocol)
    for status, who in [
        (ERR.PUAT_REQUIRED, Config(ctap2)),
        (ERR.PIN_AUTH_INVALID, Config(ctap2, other.protocol, other.secret)),
    ]:
        for change in [who.toggle_always_uv, lambda who=who: who.set_min_pin_length(min_pin_length=6)]:
            with refused(status):
                change()
    assert ctap2.get_info().options["alwaysUv"] is False
    assert ctap2.get_info().min_pin_length == 4


@pytest.mark.kept
def test_always_uv_asks_for_the_pin_every_time(key, ctap2, with_pin, protocol):
    credential = credential_of(register(ctap2))
    allowed = [descriptor(credential.credential_id)]
    config(ctap2, protocol).toggle_always_uv()
    key.crash()
    ctap2 = Ctap2(key.connect())
    assert ctap2.info.options["alwaysUv"] is True
    assert ctap2.info.options["makeCredUvNotRqd"] is False
    with refused(ERR.PUAT_REQUIRED):
        register(ctap2)
    with refused(ERR.PUAT_REQUIRED):
        log_in(ctap2, credential, allow_list=allowed)
    # A look ahead is still free.
    log_in(ctap2, credential, allow_list=allowed, options={"up": False})
    register(ctap2, token=token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"]))
    log_in(ctap2, credential, allow_list=allowed, token=token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"]))

    config(ctap2, protocol).toggle_always_uv()
    assert ctap2.get_info().options["makeCredUvNotRqd"] is True
    log_in(ctap2, credential, allow_list=allowed)


def test_always_uv_makes_a_browser_ask_for_the_pin(device, ctap2, with_pin):
    person = Person()
    server, client = Fido2Server(RP), client_on(device, person)

    def register_in_browser():
        options, state = server.register_begin(USER, user_verification="discouraged")
        return server.register_complete(state, client.make_credential(options.public_key))

    assert not register_in_browser().is_user_verified()
    assert person.asked_for_pin == 0
    config(ctap2).toggle_always_uv()
    assert register_in_browser().is_user_verified()
    assert person.asked_for_pin == 1
    person.pin = "no such PIN"
    with pytest.raises(ClientError):
        register_in_browser()


def test_always_uv_ends_u2f(key, device, ctap2, with_pin):
    app, challenge = sha256(RP["id"].encode()).digest(), client_data_hash()
    registration = until_the_user_agreed(lambda: Ctap1(device).register(challenge, app))
    assert not device.capabilities & CAPABILITY.NMSG
    config(ctap2).toggle_always_uv()

    device = key.connect()
    assert device.capabilities & CAPABILITY.NMSG
    assert "U2F_V2" not in Ctap2(device).info.versions
    for request in [
        Ctap1(device).get_version,
        lambda: Ctap1(device).register(challenge, app),
        lambda: Ctap1(device).authenticate(challenge, app, registration.key_handle),
    ]:
        with refused(ERR.INVALID_COMMAND):
            request()

    config(ctap2).toggle_always_uv()
    device = key.connect()
    assert not device.capabilities & CAPABILITY.NMSG
    signature = until_the_user_agreed(
        lambda: Ctap1(device).authenticate(challenge, app, registration.key_handle)
    )
    signature.verify(app, challenge, registration.public_key)


@pytest.mark.kept
def test_the_shortest_pin_only_grows(key, ctap2, with_pin, protocol):
    config(ctap2, protocol).set_min_pin_length(min_pin_length=5)
    key.crash()
    ctap2 = Ctap2(key.connect())
    assert ctap2.info.min_pin_length == 5
    assert ctap2.info.force_pin_change is False
    with refused(ERR.PIN_POLICY_VIOLATION):
        ClientPin(ctap2, protocol).change_pin(PIN, "1234")
    for length in [4, 64]:
        with refused(ERR.PIN_POLICY_VIOLATION):
            config(ctap2, protocol).set_min_pin_length(min_pin_length=length)
    assert ctap2.get_info().min_pin_length == 5


def longer(settings):
    settings.set_min_pin_length(min_pin_length=len(PIN) + 1)


def more_complex(settings):
    settings.set_min_pin_length(pin_complexity_policy=True)


def because_the_owner_says_so(settings):
    settings.set_min_pin_length(force_change_pin=True)


@pytest.mark.parametrize(
    ("change", "pin"), [(longer, PIN), (more_complex, "1" * len(PIN)), (because_the_owner_says_so, PIN)]
)
@pytest.mark.kept
def test_a_pin_that_has_to_change(key, ctap2, protocol, change, pin):
    """It opens nothing until it is changed to one that will do."""
    client_pin = ClientPin(ctap2, protocol)
    client_pin.set_pin(pin)
    change(config(ctap2, protocol, pin))
    key.crash()
    ctap2 = Ctap2(key.connect())
    client_pin = ClientPin(ctap2, protocol)
    assert ctap2.info.force_pin_change is True
    with refused(ERR.PIN_POLICY_VIOLATION):
        client_pin.get_pin_token(pin, PERMISSION.MAKE_CREDENTIAL, RP["id"])
    with refused(ERR.PIN_INVALID):
        client_pin.get_pin_token(pin)
    with refused(ERR.PIN_POLICY_VIOLATION):
        client_pin.change_pin(pin, pin)
    client_pin.change_pin(pin, "long enough 4 all")
    assert ctap2.get_info().force_pin_change is False
    client_pin.get_pin_token("long enough 4 all")


def test_a_long_touch_is_more_than_a_touch(new_key):
    key = new_key(presence="ask")
    Ctap2(key.connect()).config(ENABLE_LONG_TOUCH_FOR_RESET)
    key.replug()
    ctap2 = Ctap2(key.connect())
    assert ctap2.info.long_touch_for_reset is True
    given_up = Event()

    def touch_and_give_up(status):
        if status == STATUS.UPNEEDED:
            key.control("/conformance/userpresence")
            given_up.set()

    def hold(status):
        if status == STATUS.UPNEEDED:
            key.control("/usb0/touch/on", method="GET")

    with refused(ERR.KEEPALIVE_CANCEL):
        ctap2.reset(event=given_up, on_keepalive=touch_and_give_up)
    assert ctap2.get_info().long_touch_for_reset is True
    ctap2.reset(on_keepalive=hold)
    assert ctap2.get_info().long_touch_for_reset is False


@pytest.mark.kept
def test_a_reset_brings_every_default_back(key, ctap2, with_pin, protocol):
    before = dict(ctap2.info)
    settings = config(ctap2, protocol)
    settings.toggle_always_uv()
    settings.set_min_pin_length(min_pin_length=9, rp_ids=[RP["id"]], pin_complexity_policy=True)
    key.crash()
    ctap2 = Ctap2(key.connect())
    assert dict(ctap2.info) != before
    ctap2.reset()
    assert dict(ctap2.get_info()) == before
