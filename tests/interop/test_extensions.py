"""Extensions, through CTAP2 and through a browser's eyes: what is asked for is given, and nothing else."""

import os

import pytest
from fido2.client import ClientError
from fido2.ctap2 import Ctap2
from fido2.ctap2.config import Config
from fido2.ctap2.extensions import HmacSecretExtension
from fido2.ctap2.pin import ClientPin
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from parties import (
    ERR,
    PERMISSION,
    PIN,
    RP,
    USER,
    Person,
    client_on,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
    token_for,
)


def register_verified(ctap2, rp=RP, **arguments):
    return register(ctap2, rp=rp, token=token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, rp["id"]), **arguments)


def log_in_verified(ctap2, credential, **arguments):
    token = token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"])
    return log_in(ctap2, credential, token=token, **arguments)


def test_nothing_is_told_that_was_not_asked_for(ctap2):
    attestation = register(ctap2, options={"rk": True}, extensions={"notAnExtension": True})
    assert not attestation.auth_data.has_extension_data()
    assert not attestation.unsigned_extension_outputs
    assertion = log_in(ctap2, credential_of(attestation), extensions={"notAnExtension": True})
    assert not assertion.auth_data.has_extension_data()


def test_everything_at_once_is_in_canonical_order(ctap2, with_pin):
    # Ctap2 checks the order.
    asked = {
        "thirdPartyPayment": True,
        "hmac-secret": True,
        "credProtect": 2,
        "credBlob": b"blob",
        "largeBlobKey": True,
    }
    attestation = register_verified(ctap2, options={"rk": True}, extensions=asked)
    assert attestation.auth_data.extensions == {"credBlob": True, "credProtect": 2, "hmac-secret": True}
    assert len(attestation.large_blob_key) == 32
    asked = {"credBlob": True, "thirdPartyPayment": True, "largeBlobKey": True}
    assertion = log_in_verified(ctap2, credential_of(attestation), extensions=asked)
    assert assertion.auth_data.extensions == {"credBlob": b"blob", "thirdPartyPayment": True}
    assert assertion.large_blob_key == attestation.large_blob_key


# Whether somebody who is not verified finds a credential of this level: with a list of ids, and without one.
@pytest.mark.parametrize(
    ("level", "listed", "unlisted"), [(1, True, True), (2, True, False), (3, False, False)]
)
def test_cred_protect(ctap2, with_pin, level, listed, unlisted):
    attestation = register_verified(ctap2, options={"rk": True}, extensions={"credProtect": level})
    assert attestation.auth_data.extensions == {"credProtect": level}
    credential = credential_of(attestation)
    allowed = [descriptor(credential.credential_id)]
    for allow_list, is_found in [(allowed, listed), (None, unlisted)]:
        if is_found:
            log_in(ctap2, credential, allow_list=allow_list)
        else:
            with refused(ERR.NO_CREDENTIALS):
                log_in(ctap2, credential, allow_list=allow_list)
        log_in_verified(ctap2, credential, allow_list=allow_list)
    # A site may learn of it by exclusion only as far as it may find it.
    if listed:
        with refused(ERR.CREDENTIAL_EXCLUDED):
            register(ctap2, exclude_list=allowed)
    else:
        register(ctap2, exclude_list=allowed)


def test_cred_protect_of_no_known_level_is_refused(ctap2):
    for level in [0, 4]:
        with refused(ERR.INVALID_OPTION):
            register(ctap2, extensions={"credProtect": level})


def test_cred_protect_through_a_browser(device, ctap2, with_pin):
    server = Fido2Server(RP)
    options, state = server.register_begin(USER, resident_key_requirement="required")
    wanted = {
        "credentialProtectionPolicy": "userVerificationRequired",
        "enforceCredentialProtectionPolicy": True,
    }
    answer = client_on(device).make_credential({**options.public_key, "extensions": wanted})
    assert server.register_complete(state, answer).extensions == {"credProtect": 3}


@pytest.mark.parametrize("length", [0, 1, 32, 64])
@pytest.mark.kept
def test_cred_blob(key, ctap2, length):
    assert ctap2.info.max_cred_blob_length == 64
    blob = os.urandom(length)
    attestation = register(ctap2, options={"rk": True}, extensions={"credBlob": blob})
    assert attestation.auth_data.extensions == {"credBlob": True}
    key.crash()
    assertion = log_in(Ctap2(key.connect()), credential_of(attestation), extensions={"credBlob": True})
    assert assertion.auth_data.extensions == {"credBlob": blob}


@pytest.mark.parametrize(("resident", "length"), [(True, 65), (False, 1)], ids=["too-long", "not-resident"])
def test_a_cred_blob_that_is_not_kept(ctap2, resident, length):
    asked = {"credBlob": bytes(length)}
    attestation = register(ctap2, options={"rk": resident}, extensions=asked)
    assert attestation.auth_data.extensions == {"credBlob": False}
    credential = credential_of(attestation)
    allowed = [descriptor(credential.credential_id)]
    assertion = log_in(ctap2, credential, allow_list=allowed, extensions={"credBlob": True})
    assert assertion.auth_data.extensions == {"credBlob": b""}


class Secrets:
    """hmac-secret by hand."""

    def __init__(self, ctap2, protocol, *salts):
        self.protocol = protocol
        self.key_agreement, self.shared = ClientPin(ctap2, protocol)._get_shared_secret()
        self.encrypted = protocol.encrypt(self.shared, b"".join(salts))

    def input(self):
        authenticated = self.protocol.authenticate(self.shared, self.encrypted)
        return {1: self.key_agreement, 2: self.encrypted, 3: authenticated, 4: self.protocol.VERSION}

    def of(self, answer, extension="hmac-secret"):
        """The secrets in an answer."""
        plain = self.protocol.decrypt(self.shared, answer.auth_data.extensions[extension])
        return [plain[at : at + 32] for at in range(0, len(plain), 32)]


@pytest.fixture(params=[False, True], ids=["not-resident", "resident"])
def resident(request):
    return request.param


@pytest.mark.kept
def test_hmac_secret(key, ctap2, with_pin, protocol, resident):
    attestation = register_verified(ctap2, options={"rk": resident}, extensions={"hmac-secret": True})
    assert attestation.auth_data.extensions == {"hmac-secret": True}
    credential = credential_of(attestation)
    allowed = [descriptor(credential.credential_id)]
    first, second = os.urandom(32), os.urandom(32)

    def secrets_of(log_in, *salts):
        secrets = Secrets(ctap2, protocol, *salts)
        answer = log_in(ctap2, credential, allow_list=allowed, extensions={"hmac-secret": secrets.input()})
        return secrets.of(answer)

    of_first, of_second = secrets_of(log_in, first, second)
    assert secrets_of(log_in, second, first) == [of_second, of_first]
    assert secrets_of(log_in, first) == [of_first]
    # The secrets for who is verified are others.
    verified_of_first, verified_of_second = secrets_of(log_in_verified, first, second)
    assert len({of_first, of_second, verified_of_first, verified_of_second}) == 4

    key.crash()
    ctap2 = Ctap2(key.connect())
    assert secrets_of(log_in, first, second) == [of_first, of_second]
    assert secrets_of(log_in_verified, first, second) == [verified_of_first, verified_of_second]


@pytest.mark.parametrize("verified", [False, True], ids=["not-verified", "verified"])
def test_hmac_secret_at_registration(ctap2, protocol, resident, verified):
    if verified:
        ClientPin(ctap2, protocol).set_pin(PIN)
    register_so, log_in_so = (register_verified, log_in_verified) if verified else (register, log_in)
    made, got = Secrets(ctap2, protocol, bytes(32), bytes([1] * 32)), Secrets(ctap2, protocol, bytes(32))
    asked = {"hmac-secret": True, "hmac-secret-mc": made.input()}
    attestation = register_so(ctap2, options={"rk": resident}, extensions=asked)
    assert attestation.auth_data.extensions.keys() == asked.keys()
    first, second = made.of(attestation, "hmac-secret-mc")
    assert first != second
    credential = credential_of(attestation)
    allowed = [descriptor(credential.credential_id)]
    answer = log_in_so(ctap2, credential, allow_list=allowed, extensions={"hmac-secret": got.input()})
    assert got.of(answer) == [first]


def test_two_credentials_have_two_secrets(ctap2, protocol):
    salt = os.urandom(32)
    found = set()
    for user in [b"1", b"2"]:
        credential = credential_of(register(ctap2, user={"id": user}, extensions={"hmac-secret": True}))
        secrets = Secrets(ctap2, protocol, salt)
        allowed = [descriptor(credential.credential_id)]
        answer = log_in(ctap2, credential, allow_list=allowed, extensions={"hmac-secret": secrets.input()})
        found.update(secrets.of(answer))
    assert len(found) == 2


def test_hmac_secret_with_wrong_inputs_is_refused(ctap2, protocol):
    credential = credential_of(register(ctap2, extensions={"hmac-secret": True}))
    allowed = [descriptor(credential.credential_id)]
    right = Secrets(ctap2, protocol, bytes(32)).input()
    wrong = [
        (ERR.PIN_AUTH_INVALID, {**right, 3: bytes(len(right[3]))}),
        (ERR.INVALID_PARAMETER, Secrets(ctap2, protocol, bytes(48)).input()),
        (ERR.INVALID_PARAMETER, {**right, 4: 3}),
        (ERR.MISSING_PARAMETER, {number: value for number, value in right.items() if number != 2}),
    ]
    for status, inputs in wrong:
        with refused(status):
            log_in(ctap2, credential, allow_list=allowed, extensions={"hmac-secret": inputs})
    with refused(ERR.UNSUPPORTED_OPTION):
        log_in(
            ctap2, credential, allow_list=allowed, options={"up": False}, extensions={"hmac-secret": right}
        )


def prf(client, server, allowed, salts):
    options, _ = server.authenticate_begin(allowed, user_verification="required")
    selection = client.get_assertion({**options.public_key, "extensions": {"prf": {"eval": salts}}})
    return selection.get_response(0).client_extension_results.prf.results


def test_prf_through_a_browser(device, with_pin):
    server, client = Fido2Server(RP), client_on(device)
    options, state = server.register_begin(
        USER, resident_key_requirement="required", user_verification="required"
    )
    salts = {"first": websafe_encode(b"salt one"), "second": websafe_encode(b"salt two")}
    answer = client.make_credential({**options.public_key, "extensions": {"prf": {"eval": salts}}})
    credentials = [server.register_complete(state, answer).credential_data]
    made = answer.client_extension_results.prf
    assert made.enabled
    assert made.results.first != made.results.second
    for allowed in [credentials, None]:
        assert prf(client, server, allowed, salts) == made.results
        assert prf(client, server, allowed, {"first": salts["second"]}).first == made.results.second


def test_hmac_secret_through_a_native_program(device, with_pin):
    server = Fido2Server(RP)
    client = client_on(device, extensions=[HmacSecretExtension(allow_hmac_secret=True)])
    options, state = server.register_begin(USER, user_verification="required")
    answer = client.make_credential({**options.public_key, "extensions": {"hmacCreateSecret": True}})
    assert answer.client_extension_results.hmac_create_secret
    credentials = [server.register_complete(state, answer).credential_data]
    found = []
    for _ in range(2):
        options, state = server.authenticate_begin(credentials, user_verification="required")
        salt = {"salt1": bytes(32)}
        selection = client.get_assertion({**options.public_key, "extensions": {"hmacGetSecret": salt}})
        found.append(selection.get_response(0).client_extension_results.hmac_get_secret.output1)
    assert found[0] == found[1]


def list_for_pin_rules(ctap2, *rp_ids, **rules):
    token = token_for(ctap2, PERMISSION.AUTHENTICATOR_CFG)
    Config(ctap2, token.protocol, token.secret).set_min_pin_length(rp_ids=list(rp_ids), **rules)


def test_pin_rules_are_told_to_listed_sites_only(ctap2, with_pin):
    other = {"id": "example.com", "name": "Another example"}

    def told_to(rp):
        asked = {"minPinLength": True, "pinComplexityPolicy": True}
        return register_verified(ctap2, rp=rp, extensions=asked).auth_data.extensions

    rules = {"minPinLength": 5, "pinComplexityPolicy": False}
    assert told_to(RP) is None
    list_for_pin_rules(ctap2, RP["id"], min_pin_length=5)
    assert (told_to(RP), told_to(other)) == (rules, None)
    # A new list takes the old one's place.
    list_for_pin_rules(ctap2, other["id"])
    assert (told_to(RP), told_to(other)) == (None, rules)


@pytest.mark.parametrize("asked_for", [False, True])
def test_third_party_payment(ctap2, asked_for):
    extensions = {"thirdPartyPayment": True} if asked_for else None
    attestation = register(ctap2, options={"rk": True}, extensions=extensions)
    assert not attestation.auth_data.has_extension_data()
    assertion = log_in(ctap2, credential_of(attestation), extensions={"thirdPartyPayment": True})
    assert assertion.auth_data.extensions == {"thirdPartyPayment": asked_for}


def test_a_wrong_pin_ends_a_registration(device, with_pin):
    options, _ = Fido2Server(RP).register_begin(USER, user_verification="required")
    with pytest.raises(ClientError) as ended:
        client_on(device, Person(pin="no such PIN")).make_credential(options.public_key)
    assert ended.value.cause.code == ERR.PIN_INVALID
