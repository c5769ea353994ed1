"""The user: asked, waited for, not asked in vain, and rid of a question that nobody wants answered any more."""

from threading import Event

import pytest
from fido2.ctap import STATUS, CtapError
from fido2.ctap2 import Ctap2
from fido2.ctap2.pin import ClientPin
from parties import (
    ERR,
    PIN,
    RP,
    USER,
    client_data_hash,
    credential_of,
    descriptor,
    parameters,
    refused,
    register,
)


def test_the_request_waits_for_the_touch(new_key):
    key = new_key(presence="ask")
    ctap2 = Ctap2(key.connect())
    heard = []

    def touch(status):
        heard.append(status)
        if status == STATUS.UPNEEDED:
            key.control("/conformance/userpresence")

    attestation = ctap2.make_credential(client_data_hash(), RP, USER, parameters(), on_keepalive=touch)
    assert attestation.auth_data.is_user_present()
    assert STATUS.UPNEEDED in heard


@pytest.mark.parametrize("request_name", ["make_credential", "get_assertion", "selection", "reset"])
def test_cancel_ends_the_wait(new_key, request_name):
    key = new_key(presence="ask")
    ctap2 = Ctap2(key.connect())
    requests = {
        "make_credential": lambda **how: ctap2.make_credential(
            client_data_hash(), RP, USER, parameters(), **how
        ),
        "get_assertion": lambda **how: ctap2.get_assertion(RP["id"], client_data_hash(), **how),
        "selection": ctap2.selection,
        "reset": ctap2.reset,
    }
    if request_name == "get_assertion":
        requests["make_credential"](
            on_keepalive=lambda status: touch_when_needed(key, status), options={"rk": True}
        )
    cancelled = Event()

    def cancel(status):
        if status == STATUS.UPNEEDED:
            cancelled.set()

    with pytest.raises(CtapError) as ended:
        requests[request_name](event=cancelled, on_keepalive=cancel)
    assert ended.value.code == CtapError.ERR.KEEPALIVE_CANCEL
    # The key is free again at once.
    assert ctap2.get_info().versions


def touch_when_needed(key, status):
    if status == STATUS.UPNEEDED:
        key.control("/conformance/userpresence")


def test_a_look_ahead_asks_nobody(new_key):
    key = new_key(presence="ask")
    ctap2 = Ctap2(key.connect())
    attestation = ctap2.make_credential(
        client_data_hash(), RP, USER, parameters(), on_keepalive=lambda status: touch_when_needed(key, status)
    )
    credential = credential_of(attestation)
    data_hash = client_data_hash()
    allowed = [descriptor(credential.credential_id)]
    # Nobody touches: this would not come back if it asked.
    assertion = ctap2.get_assertion(RP["id"], data_hash, allowed, options={"up": False})
    assertion.verify(data_hash, credential.public_key)
    assert not assertion.auth_data.is_user_present()
    with pytest.raises(CtapError) as refused:
        ctap2.get_assertion("example.com", data_hash, allowed, options={"up": False})
    assert refused.value.code == CtapError.ERR.NO_CREDENTIALS


@pytest.mark.parametrize(("has_pin", "answer"), [(False, ERR.PIN_NOT_SET), (True, ERR.PIN_INVALID)])
def test_a_blink_is_answered_after_a_touch_with_whether_there_is_a_pin(new_key, has_pin, answer):
    """Platforms send a pinUvAuthParam of no length to find out which key is meant."""
    key = new_key(presence="ask")
    ctap2 = Ctap2(key.connect())
    credential = credential_of(
        ctap2.make_credential(
            client_data_hash(),
            RP,
            USER,
            parameters(),
            on_keepalive=lambda status: touch_when_needed(key, status),
        )
    )
    if has_pin:
        ClientPin(ctap2).set_pin(PIN)
    blink = {"pin_uv_param": b"", "pin_uv_protocol": 2}
    heard = []

    def touch(status):
        heard.append(status)
        touch_when_needed(key, status)

    with refused(answer):
        ctap2.make_credential(client_data_hash(), RP, USER, parameters(), **blink, on_keepalive=touch)
    with refused(answer):
        allowed = [descriptor(credential.credential_id)]
        ctap2.get_assertion(RP["id"], client_data_hash(), allowed, **blink, on_keepalive=touch)
    assert heard.count(STATUS.UPNEEDED) == 2


def test_selection_is_answered_after_a_touch(ctap2):
    ctap2.selection()


def test_reset_erases_everything_after_a_power_cycle(key, ctap2):
    kinds = {"resident": {"rk": True}, "not resident": {}}
    ids = [credential_of(register(ctap2, options=options)).credential_id for options in kinds.values()]
    key.control("/conformance/powercycle")
    key.wait_until_plugged_in()
    again = Ctap2(key.connect())
    assert again.get_assertion(RP["id"], client_data_hash(), [descriptor(ids[0])])
    again.reset()
    for credential_id in ids:
        with pytest.raises(CtapError) as refused:
            again.get_assertion(RP["id"], client_data_hash(), [descriptor(credential_id)])
        assert refused.value.code == CtapError.ERR.NO_CREDENTIALS
    register(again, options={"rk": True})


def test_the_key_can_be_pulled_out_and_plugged_in(key, device):
    assert device.ping(b"hello") == b"hello"
    assert key.control("/usb6/power/off", method="GET") == 200
    with pytest.raises(OSError):
        device.ping(b"anybody there?")
    assert key.control("/usb6/power/on", method="GET") == 200
    key.wait_until_plugged_in()
    assert key.connect().ping(b"hello") == b"hello"
