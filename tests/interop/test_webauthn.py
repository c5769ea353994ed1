"""Whole registrations and logins: fido2's client in the browser's place, fido2's server as the relying party."""

from hashlib import sha256

import pytest
from fido2.client import ClientError
from fido2.cose import ES256
from fido2.ctap1 import Ctap1
from fido2.ctap2 import Ctap2
from fido2.ctap2.pin import ClientPin
from fido2.server import Fido2Server
from fido2.webauthn import AttestedCredentialData, PublicKeyCredentialParameters, PublicKeyCredentialType
from parties import (
    ALGORITHMS,
    PIN,
    RP,
    USER,
    Person,
    client_on,
    credential_of,
    descriptor,
    register,
    until_the_user_agreed,
    verify_self_attestation,
)


def verify_attestation(attestation_object, data_hash):
    verify_self_attestation(
        attestation_object.fmt, attestation_object.att_stmt, attestation_object.auth_data, data_hash
    )


def server_for(algorithm, **options):
    server = Fido2Server(RP, attestation="direct", **options)
    server.allowed_algorithms = [
        PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=algorithm.ALGORITHM)
    ]
    return server


@pytest.mark.parametrize("resident", ["required", "discouraged"])
@pytest.mark.parametrize("verification", ["required", "discouraged"])
@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
def test_register_and_log_in(device, algorithm, verification, resident):
    server = server_for(algorithm, verify_attestation=verify_attestation)
    person = Person()
    client = client_on(device, person)
    if verification == "required":
        ClientPin(Ctap2(device)).set_pin(PIN)

    options, state = server.register_begin(
        USER, resident_key_requirement=resident, user_verification=verification
    )
    registered = server.register_complete(state, client.make_credential(options.public_key))
    assert registered.is_user_verified() == (verification == "required")
    credentials = [registered.credential_data]

    options, state = server.authenticate_begin(
        credentials if resident == "discouraged" else None, user_verification=verification
    )
    answer = client.get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, credentials, answer)
    if resident == "required":
        assert answer.response.user_handle == USER["id"]
    assert person.asked_for_pin == (2 if verification == "required" else 0)


def test_the_accounts_of_a_site_are_offered(device, with_pin):
    """Their names are for the eyes of the verified owner only."""
    server, client = server_for(ES256), client_on(device)
    registered = {}
    for name in ["alice", "bob", "carol"]:
        user = {"id": name.encode(), "name": name, "displayName": name.title()}
        options, state = server.register_begin(user, resident_key_requirement="required")
        answer = server.register_complete(state, client.make_credential(options.public_key))
        registered[user["id"]] = answer.credential_data
    for verification, names in [("required", ["carol", "bob", "alice"]), ("discouraged", [None] * 3)]:
        options, state = server.authenticate_begin(user_verification=verification)
        selection = client.get_assertion(options.public_key)
        assert [assertion.user.get("name") for assertion in selection.get_assertions()] == names
        for index, user_id in enumerate([b"carol", b"bob", b"alice"]):
            answer = selection.get_response(index)
            assert answer.response.user_handle == user_id
            server.authenticate_complete(state, [registered[user_id]], answer)


def test_a_second_registration_of_the_same_key_is_refused(device):
    server = server_for(ES256)
    client = client_on(device)
    options, state = server.register_begin(USER, user_verification="discouraged")
    registered = server.register_complete(state, client.make_credential(options.public_key))
    options, _ = server.register_begin(USER, [registered.credential_data], user_verification="discouraged")
    with pytest.raises(ClientError) as refused:
        client.make_credential(options.public_key)
    assert refused.value.code == ClientError.ERR.DEVICE_INELIGIBLE


def test_a_login_without_a_registration_is_refused(device):
    options, _ = server_for(ES256).authenticate_begin(user_verification="discouraged")
    with pytest.raises(ClientError) as refused:
        client_on(device).get_assertion(options.public_key)
    assert refused.value.code == ClientError.ERR.DEVICE_INELIGIBLE


def test_the_right_one_is_found_in_a_long_list(device):
    ctap2 = Ctap2(device)
    known = credential_of(register(ctap2))
    length = len(known.credential_id)
    strangers = [descriptor(bytes([number]) * length) for number in range(40)]
    allowed = [*strangers, descriptor(known.credential_id)]
    server = server_for(ES256)
    options, state = server.authenticate_begin(allowed, user_verification="discouraged")
    answer = client_on(device).get_assertion(options.public_key).get_response(0)
    assert server.authenticate_complete(state, [known], answer).credential_id == known.credential_id


def test_a_u2f_registration_logs_in_through_ctap2(device):
    app = sha256(RP["id"].encode()).digest()
    registration = until_the_user_agreed(lambda: Ctap1(device).register(b"\1" * 32, app))
    known = AttestedCredentialData.from_ctap1(registration.key_handle, registration.public_key)
    server = server_for(ES256)
    options, state = server.authenticate_begin([known], user_verification="discouraged")
    answer = client_on(device).get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, [known], answer)


def test_the_key_is_the_same_over_tcp(new_key):
    device = new_key(over_tcp=True).connect()
    assert device.ping(bytes(7609)) == bytes(7609)
    register(Ctap2(device))


def test_selection_through_the_client(device):
    client_on(device).selection()
