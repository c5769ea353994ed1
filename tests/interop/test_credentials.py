"""makeCredential and getAssertion, command by command."""

import pytest
from fido2.cose import ES256, MLDSA44, MLDSA65, RS256, EdDSA
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from parties import (
    ALGORITHMS,
    ERR,
    RP,
    USER,
    client_data_hash,
    credential_of,
    descriptor,
    log_in,
    parameters,
    refused,
    register,
)


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    return ALGORITHMS[request.param]


@pytest.fixture(params=[False, True], ids=["not-resident", "resident"])
def resident(request):
    return request.param


def test_a_credential_signs_what_it_is_asked_to(ctap2, algorithm, resident):
    attestation = register(ctap2, algorithm, options={"rk": resident})
    credential = credential_of(attestation)
    assert isinstance(credential.public_key, algorithm)
    assert attestation.auth_data.is_user_present()
    assert not attestation.auth_data.is_user_verified()

    data_hash = client_data_hash()
    allowed = [descriptor(credential.credential_id)]
    assertion = ctap2.get_assertion(RP["id"], data_hash, allowed)
    assertion.verify(data_hash, credential.public_key)
    assert assertion.credential["id"] == credential.credential_id
    assert assertion.auth_data.rp_id_hash == attestation.auth_data.rp_id_hash
    assert assertion.auth_data.is_user_present()


@pytest.mark.parametrize("algorithm", [MLDSA44, MLDSA65])
@pytest.mark.kept
def test_a_post_quantum_credential_signs_if_it_is_allowed_to_exist(new_key, algorithm, resident):
    with refused(ERR.UNSUPPORTED_ALGORITHM):
        register(Ctap2(new_key().connect()), algorithm)
    key = new_key(arguments=["--post-quantum"])
    credential = credential_of(register(Ctap2(key.connect()), algorithm, options={"rk": resident}))
    assert isinstance(credential.public_key, algorithm)
    key.crash()
    log_in(Ctap2(key.connect()), credential, allow_list=[descriptor(credential.credential_id)])


def test_a_resident_credential_is_found_without_a_list(ctap2, algorithm):
    credential = credential_of(register(ctap2, algorithm, options={"rk": True}))
    data_hash = client_data_hash()
    assertion = ctap2.get_assertion(RP["id"], data_hash)
    assertion.verify(data_hash, credential.public_key)
    assert assertion.user["id"] == USER["id"]


def test_several_accounts_are_told_one_after_another_newest_first(ctap2):
    registered = {}
    for number in range(3):
        user = {"id": bytes([number]), "name": f"user {number}"}
        registered[user["id"]] = credential_of(register(ctap2, user=user, options={"rk": True}))
    data_hash = client_data_hash()
    assertions = ctap2.get_assertions(RP["id"], data_hash)
    assert [assertion.user["id"] for assertion in assertions] == [b"\2", b"\1", b"\0"]
    for assertion in assertions:
        assertion.verify(data_hash, registered[assertion.user["id"]].public_key)
    with pytest.raises(CtapError) as refused:
        ctap2.get_next_assertion()
    assert refused.value.code == CtapError.ERR.NOT_ALLOWED


def test_the_same_account_again_takes_the_old_credentials_place(ctap2):
    register(ctap2, options={"rk": True})
    newer = credential_of(register(ctap2, options={"rk": True}))
    assertions = ctap2.get_assertions(RP["id"], client_data_hash())
    assert [assertion.credential["id"] for assertion in assertions] == [newer.credential_id]


def test_a_credential_that_is_not_resident_is_not_found_without_a_list(ctap2):
    register(ctap2)
    with pytest.raises(CtapError) as refused:
        ctap2.get_assertion(RP["id"], client_data_hash())
    assert refused.value.code == CtapError.ERR.NO_CREDENTIALS


def test_an_excluded_credential_is_not_made_again(ctap2, resident):
    credential = credential_of(register(ctap2, options={"rk": resident}))
    with pytest.raises(CtapError) as refused:
        register(ctap2, exclude_list=[descriptor(credential.credential_id)])
    assert refused.value.code == CtapError.ERR.CREDENTIAL_EXCLUDED


def test_a_credential_belongs_to_one_relying_party(ctap2, resident):
    credential = credential_of(register(ctap2, options={"rk": resident}))
    with pytest.raises(CtapError) as refused:
        ctap2.get_assertion("example.com", client_data_hash(), [descriptor(credential.credential_id)])
    assert refused.value.code == CtapError.ERR.NO_CREDENTIALS


def test_a_credential_belongs_to_one_key(new_key):
    ours, other = Ctap2(new_key().connect()), Ctap2(new_key().connect())
    credential = credential_of(register(ours))
    with pytest.raises(CtapError) as refused:
        other.get_assertion(RP["id"], client_data_hash(), [descriptor(credential.credential_id)])
    assert refused.value.code == CtapError.ERR.NO_CREDENTIALS


def test_the_first_algorithm_that_the_key_knows_is_taken(ctap2):
    for wanted, taken in [((RS256, EdDSA, ES256), EdDSA), ((RS256, ES256, EdDSA), ES256)]:
        attestation = ctap2.make_credential(client_data_hash(), RP, USER, parameters(*wanted))
        assert isinstance(credential_of(attestation).public_key, taken)
    with pytest.raises(CtapError) as refused:
        ctap2.make_credential(client_data_hash(), RP, USER, parameters(RS256))
    assert refused.value.code == CtapError.ERR.UNSUPPORTED_ALGORITHM


@pytest.mark.kept
def test_what_is_answered_survives_kill(key, ctap2, algorithm, resident):
    credential = credential_of(register(ctap2, algorithm, options={"rk": resident}))
    key.kill()
    key.start()
    data_hash = client_data_hash()
    again = Ctap2(key.connect())
    assertion = again.get_assertion(RP["id"], data_hash, [descriptor(credential.credential_id)])
    assertion.verify(data_hash, credential.public_key)


@pytest.mark.kept
def test_only_credentials_that_stay_on_the_device_count(new_key):
    for kind, counts in [("synced", [0, 0, 0, 0]), ("device-bound", [1, 2, 3, 4])]:
        key = new_key(arguments=["--kind", kind])
        ctap2 = Ctap2(key.connect())
        attestation = register(ctap2)
        credential = credential_of(attestation)
        answers = [attestation]
        for _ in range(2):
            answers.append(log_in(ctap2, credential, allow_list=[descriptor(credential.credential_id)]))
        key.crash()
        answers.append(
            log_in(Ctap2(key.connect()), credential, allow_list=[descriptor(credential.credential_id)])
        )
        assert [answer.auth_data.counter for answer in answers] == counts
        for answer in answers:
            assert answer.auth_data.is_backup_eligible() == (kind == "synced")
            assert not answer.auth_data.is_backed_up()


@pytest.mark.kept
def test_a_credential_stays_what_it_is_when_the_key_becomes_another(new_key):
    key = new_key(arguments=["--kind", "device-bound", "--post-quantum"])
    made = [
        credential_of(register(Ctap2(key.connect()), algorithm, options={"rk": True}, user={"id": user}))
        for algorithm, user in [(ES256, b"alice"), (MLDSA65, b"bob")]
    ]
    key.arguments = ["--kind", "synced"]
    key.crash()
    ctap2 = Ctap2(key.connect())
    with refused(ERR.UNSUPPORTED_ALGORITHM):
        register(ctap2, MLDSA65)
    assert register(ctap2, user={"id": b"carol"}).auth_data.is_backup_eligible()
    for count, credential in enumerate(made, 3):
        assertion = log_in(ctap2, credential, allow_list=[descriptor(credential.credential_id)])
        assert not assertion.auth_data.is_backup_eligible()
        assert assertion.auth_data.counter == count
