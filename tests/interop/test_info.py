"""authenticatorGetInfo: what is told is true, and nothing is told that is not there."""

from fido2.cose import ES256, EdDSA
from fido2.ctap2 import Ctap2
from fido2.webauthn import Aaguid


def test_versions_and_options(ctap2):
    assert "FIDO_2_0" in ctap2.info.versions
    assert "U2F_V2" in ctap2.info.versions
    assert ctap2.info.options["rk"] is True
    assert ctap2.info.options["up"] is True
    assert ctap2.info.options.get("plat", False) is False


def test_the_algorithms_in_their_order(ctap2):
    algorithms = [algorithm["alg"] for algorithm in ctap2.info.algorithms]
    assert algorithms[:2] == [ES256.ALGORITHM, EdDSA.ALGORITHM]


def test_the_limits_that_clients_need_for_long_lists(ctap2):
    assert ctap2.info.max_msg_size >= 1024
    assert ctap2.info.max_creds_in_list >= 1
    assert ctap2.info.max_cred_id_length >= 1


def test_the_key_has_a_model_number(ctap2):
    assert ctap2.info.aaguid != Aaguid.NONE


def test_it_says_the_same_each_time_and_after_a_restart(key, ctap2):
    before = dict(ctap2.info)
    assert dict(ctap2.get_info()) == before
    key.kill()
    key.start()
    assert dict(Ctap2(key.connect()).info) == before
