"""authenticatorCredentialManagement: the owner of the key lists, renames and deletes passkeys; a program that keeps a
token lists them again without asking."""

from hashlib import sha256

import pytest
from fido2 import cbor
from fido2.ctap1 import Ctap1
from fido2.ctap2 import Ctap2
from fido2.ctap2.credman import CredentialManagement
from fido2.ctap2.pin import ClientPin
from parties import (
    ALGORITHMS,
    ERR,
    PERMISSION,
    PIN,
    RP,
    client_data_hash,
    credential_of,
    descriptor,
    log_in,
    refused,
    register,
    token_for,
    until_the_user_agreed,
)

RESULT = CredentialManagement.RESULT
APPLES, BANANAS, CHERRIES = "apples.example", "bananas.example", "cherries.example"
SITES = [{"id": rp_id, "name": f"All about {rp_id}"} for rp_id in [APPLES, BANANAS, CHERRIES]]


def management(ctap2, protocol=None, permission=PERMISSION.CREDENTIAL_MGMT, rp_id=None):
    token = token_for(ctap2, permission, rp_id, protocol=protocol)
    return CredentialManagement(ctap2, token.protocol, token.secret)


def register_before_the_pin(ctap2):
    """Two accounts on each site; gives what should be listed, {site: {credential id: (user, public key)}}."""
    expected = {}
    for rp in SITES:
        accounts = expected[rp["id"]] = {}
        for name in ["alice", "bob"]:
            user = {"id": name.encode(), "name": name, "displayName": name.title()}
            credential = credential_of(register(ctap2, rp=rp, user=user, options={"rk": True}))
            accounts[credential.credential_id] = (user, credential.public_key)
    ClientPin(ctap2).set_pin(PIN)
    return expected


def listed(credentials):
    """Everything, in the form of register_before_the_pin."""
    found = {}
    for entry in credentials.enumerate_rps():
        rp, rp_id_hash = entry[RESULT.RP], entry[RESULT.RP_ID_HASH]
        assert rp_id_hash == sha256(rp["id"].encode()).digest()
        found[rp["id"]] = {
            account[RESULT.CREDENTIAL_ID]["id"]: (account[RESULT.USER], account[RESULT.PUBLIC_KEY])
            for account in credentials.enumerate_creds(rp_id_hash)
        }
    return found


@pytest.mark.kept
def test_everything_is_listed_and_survives_a_crash(key, ctap2, protocol):
    expected = register_before_the_pin(ctap2)
    credentials = management(ctap2, protocol)
    assert listed(credentials) == expected
    metadata = credentials.get_metadata()
    assert metadata[RESULT.EXISTING_CRED_COUNT] == 6
    assert metadata[RESULT.MAX_REMAINING_COUNT] == ctap2.get_info().remaining_disc_creds
    key.crash()
    assert listed(management(Ctap2(key.connect()), protocol)) == expected


def test_an_empty_key_has_no_list(ctap2, with_pin, protocol):
    credentials = management(ctap2, protocol)
    assert credentials.get_metadata()[RESULT.EXISTING_CRED_COUNT] == 0
    assert credentials.enumerate_rps() == []
    assert credentials.enumerate_creds(bytes(32)) == []


def test_what_is_in_its_own_id_is_not_listed(device, ctap2, protocol):
    register(ctap2)
    until_the_user_agreed(lambda: Ctap1(device).register(bytes(32), bytes(32)))
    ClientPin(ctap2).set_pin(PIN)
    credentials = management(ctap2, protocol)
    assert credentials.get_metadata()[RESULT.EXISTING_CRED_COUNT] == 0
    assert credentials.enumerate_rps() == []


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
def test_an_entry_tells_all_about_a_passkey(ctap2, algorithm):
    asked = {"credProtect": 3, "largeBlobKey": True, "thirdPartyPayment": True}
    attestation = register(ctap2, algorithm, options={"rk": True}, extensions=asked)
    ClientPin(ctap2).set_pin(PIN)
    (entry,) = management(ctap2).enumerate_creds(sha256(RP["id"].encode()).digest())
    credential = credential_of(attestation)
    assert entry[RESULT.PUBLIC_KEY] == credential.public_key
    assert entry[RESULT.CREDENTIAL_ID] == descriptor(credential.credential_id)
    assert entry[RESULT.CRED_PROTECT] == 3
    assert entry[RESULT.LARGE_BLOB_KEY] == attestation.large_blob_key
    assert entry[RESULT.THIRD_PARTY_PAYMENT] is True


@pytest.mark.kept
def test_a_deleted_passkey_is_gone_for_good(key, ctap2, protocol):
    expected = register_before_the_pin(ctap2)
    credentials = management(ctap2, protocol)
    for rp in SITES:
        for credential_id in list(expected[rp["id"]]):
            credentials.delete_cred(descriptor(credential_id))
            del expected[rp["id"]][credential_id]
            assert listed(credentials) == {
                rp_id: accounts for rp_id, accounts in expected.items() if accounts
            }
            with refused(ERR.NO_CREDENTIALS):
                ctap2.get_assertion(rp["id"], client_data_hash(), [descriptor(credential_id)])
    with refused(ERR.NO_CREDENTIALS):
        credentials.delete_cred(descriptor(credential_id))
    key.crash()
    assert listed(management(Ctap2(key.connect()), protocol)) == {}


@pytest.mark.kept
def test_names_are_changed_and_taken_away(key, ctap2, protocol):
    credential = credential_of(register(ctap2, user={"id": b"alice", "name": "alice"}, options={"rk": True}))
    ClientPin(ctap2).set_pin(PIN)
    for user in [
        {"id": b"alice", "name": "alice@example.org", "displayName": "Alice 🦊"},
        {"id": b"alice", "displayName": "Alice"},
        {"id": b"alice"},
    ]:
        management(ctap2, protocol).update_user_info(descriptor(credential.credential_id), user)
        key.crash()
        ctap2 = Ctap2(key.connect())
        ((found, _),) = listed(management(ctap2, protocol))[RP["id"]].values()
        assert found == user
        log_in(ctap2, credential, token=token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"]))
    with refused(ERR.INVALID_PARAMETER):
        management(ctap2, protocol).update_user_info(descriptor(credential.credential_id), {"id": b"bob"})


def test_names_of_any_length_can_be_listed(ctap2, protocol):
    """libfido2 reads no answer that is longer than 2048 bytes."""
    rp = {"id": RP["id"], "name": "n" * 1000}
    user = {"id": b"a" * 64, "name": "ä" * 1000, "displayName": "n" + "ä" * 1000}
    asked = {"largeBlobKey": True}
    credential = credential_of(register(ctap2, rp=rp, user=user, options={"rk": True}, extensions=asked))
    ClientPin(ctap2).set_pin(PIN)
    credentials = management(ctap2, protocol)
    (site,) = credentials.enumerate_rps()
    (account,) = credentials.enumerate_creds(site[RESULT.RP_ID_HASH])
    for answer in [site, account]:
        assert len(cbor.encode(answer)) < 2048
    assert site[RESULT.RP] == {"id": RP["id"], "name": "n" * 256}
    kept = {"id": b"a" * 64, "name": "ä" * 128, "displayName": "n" + "ä" * 127}
    assert account[RESULT.USER] == kept
    assertion = log_in(ctap2, credential, token=token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"]))
    assert assertion.user == kept


def test_a_token_for_one_site_changes_that_site_only(ctap2, protocol):
    ids = {rp_id: list(accounts) for rp_id, accounts in register_before_the_pin(ctap2).items()}
    credentials = management(ctap2, protocol, rp_id=APPLES)
    for read in [credentials.get_metadata, credentials.enumerate_rps]:
        with refused(ERR.PIN_AUTH_INVALID):
            read()
    with refused(ERR.PIN_AUTH_INVALID):
        credentials.delete_cred(descriptor(ids[BANANAS][0]))
    credentials.delete_cred(descriptor(ids[APPLES][0]))


def test_nothing_is_listed_without_the_permission(ctap2, protocol):
    ids = [*register_before_the_pin(ctap2)[APPLES]]
    credentials = management(ctap2, protocol, PERMISSION.GET_ASSERTION)
    for request in [
        credentials.get_metadata,
        credentials.enumerate_rps,
        lambda: credentials.enumerate_creds(bytes(32)),
        lambda: credentials.delete_cred(descriptor(ids[0])),
        lambda: credentials.update_user_info(descriptor(ids[0]), {"id": b"alice"}),
    ]:
        with refused(ERR.PIN_AUTH_INVALID):
            request()
    with refused(ERR.PUAT_REQUIRED):
        ctap2.credential_mgmt(CredentialManagement.CMD.GET_CREDS_METADATA)


@pytest.mark.kept
def test_the_lasting_token_reads_and_does_not_write(key, ctap2, protocol):
    expected = register_before_the_pin(ctap2)
    first = next(iter(expected[APPLES]))
    lasting = token_for(ctap2, PERMISSION.PERSISTENT_CREDENTIAL_MGMT, protocol=protocol)

    def check(ctap2):
        credentials = CredentialManagement(ctap2, lasting.protocol, lasting.secret)
        assert listed(credentials) == expected
        assert credentials.get_metadata()[RESULT.EXISTING_CRED_COUNT] == 6
        for change in [
            lambda: credentials.delete_cred(descriptor(first)),
            lambda: credentials.update_user_info(descriptor(first), {"id": b"alice"}),
            lambda: register(ctap2, token=lasting),
        ]:
            with refused(ERR.PIN_AUTH_INVALID):
                change()
        assert listed(credentials) == expected

    check(ctap2)
    token_for(ctap2, PERMISSION.GET_ASSERTION, RP["id"])
    check(ctap2)
    key.replug()
    check(Ctap2(key.connect()))
    key.crash()
    ctap2 = Ctap2(key.connect())
    check(ctap2)
    # Whoever asks again gets the same one, until the PIN is changed.
    assert token_for(ctap2, PERMISSION.PERSISTENT_CREDENTIAL_MGMT, protocol=protocol).secret == lasting.secret
    ClientPin(ctap2, protocol).change_pin(PIN, "another PIN")
    with refused(ERR.PIN_AUTH_INVALID):
        CredentialManagement(ctap2, lasting.protocol, lasting.secret).get_metadata()
    new = token_for(ctap2, PERMISSION.PERSISTENT_CREDENTIAL_MGMT, pin="another PIN", protocol=protocol)
    assert new.secret != lasting.secret


@pytest.mark.kept
def test_holders_of_the_lasting_token_recognize_the_key_and_its_changes(key, ctap2, protocol):
    register_before_the_pin(ctap2)
    assert (ctap2.get_info().enc_identifier, ctap2.get_info().enc_cred_store_state) == (None, None)
    secret = token_for(ctap2, PERMISSION.PERSISTENT_CREDENTIAL_MGMT, protocol=protocol).secret

    def told(ctap2):
        info = ctap2.get_info()
        assert info.enc_identifier != ctap2.get_info().enc_identifier
        return info.get_identifier(secret), info.get_cred_store_state(secret)

    identifier, state = told(ctap2)
    key.crash()
    ctap2 = Ctap2(key.connect())
    assert told(ctap2) == (identifier, state)

    seen = {state}
    user = {"id": b"carol", "name": "carol"}
    credential = credential_of(
        register(
            ctap2,
            user=user,
            options={"rk": True},
            token=token_for(ctap2, PERMISSION.MAKE_CREDENTIAL, RP["id"]),
        )
    )
    seen.add(told(ctap2)[1])
    management(ctap2).update_user_info(
        descriptor(credential.credential_id), {"id": b"carol", "name": "Carol"}
    )
    seen.add(told(ctap2)[1])
    management(ctap2).delete_cred(descriptor(credential.credential_id))
    seen.add(told(ctap2)[1])
    assert len(seen) == 4
    assert told(ctap2)[0] == identifier
