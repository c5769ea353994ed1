"""authenticatorGetInfo: what is told is true, and nothing is told that is not there."""

import pytest
from fido2.cose import ES256, ES384, MLDSA44, MLDSA65, EdDSA
from fido2.ctap2 import Ctap2
from fido2.webauthn import Aaguid
from parties import parameters


def test_versions(new_key):
    for arguments, versions in [
        ([], ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]),
        (["--hide-fido-2-3"], ["U2F_V2", "FIDO_2_0", "FIDO_2_1"]),
    ]:
        assert Ctap2(new_key(arguments=arguments).connect()).info.versions == versions


def test_options(ctap2):
    assert ctap2.info.options["rk"] is True
    assert ctap2.info.options["up"] is True
    assert ctap2.info.options.get("plat", False) is False


def test_the_algorithms_in_their_order(new_key):
    usual = [ES256, EdDSA, ES384]
    for arguments, algorithms in [([], usual), (["--post-quantum"], [*usual, MLDSA65, MLDSA44])]:
        info = Ctap2(new_key(arguments=arguments).connect()).info
        assert info.algorithms == parameters(*algorithms)


def test_the_limits_that_clients_need_for_long_lists(ctap2):
    assert ctap2.info.max_msg_size >= 1024
    assert ctap2.info.max_creds_in_list >= 1
    assert ctap2.info.max_cred_id_length >= 1


def test_the_two_kinds_of_key_have_a_model_number_each(new_key):
    kinds = [new_key(arguments=["--kind", kind]) for kind in ["synced", "device-bound"]]
    numbers = {Ctap2(key.connect()).info.aaguid for key in kinds}
    assert len(numbers - {Aaguid.NONE}) == 2


@pytest.mark.kept
def test_it_says_the_same_each_time_and_after_a_restart(key, ctap2):
    before = dict(ctap2.info)
    assert dict(ctap2.get_info()) == before
    key.kill()
    key.start()
    assert dict(Ctap2(key.connect()).info) == before
