"""Attestation by an authority of the installation's own, as a relying party that was given its certificate sees it."""

import json
import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fido2.attestation import AttestationType, PackedAttestation
from fido2.cose import ES256, EdDSA
from fido2.ctap2.config import Config
from parties import ERR, RP, USER, client_data_hash, parameters, refused

# The authority is asked for by other commands, through the state folder.
pytestmark = pytest.mark.kept

MODEL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
SERIAL_NUMBER = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.2")


@pytest.fixture
def key(new_key):
    return new_key(arguments=["--attestation", "authority", "--enterprise", "--enterprise-site", RP["id"]])


def wardkey(key, *arguments):
    command = [os.environ["WARDKEY"], "--state", str(key.folder / "state"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported(key):
    return x509.load_pem_x509_certificate(wardkey(key, "attestation", "export").encode())


def attested(ctap2, algorithm=ES256, rp=RP, **arguments):
    """makeCredential; gives the certificate, whose key has signed the statement."""
    data_hash = client_data_hash()
    attestation = ctap2.make_credential(data_hash, rp, USER, parameters(algorithm), **arguments)
    assert attestation.fmt == "packed"
    result = PackedAttestation().verify(attestation.att_stmt, attestation.auth_data, data_hash)
    assert result.attestation_type == AttestationType.BASIC
    [certificate] = map(x509.load_der_x509_certificate, result.trust_path)
    model = certificate.extensions.get_extension_for_oid(MODEL).value.value
    assert model == b"\x04\x10" + attestation.auth_data.credential_data.aaguid
    return certificate, attestation


def serial_number(certificate):
    try:
        return certificate.extensions.get_extension_for_oid(SERIAL_NUMBER).value.value
    except x509.ExtensionNotFound:
        return None


@pytest.mark.parametrize("algorithm", [ES256, EdDSA], ids=lambda algorithm: algorithm.__name__)
def test_the_authority_of_the_installation_vouches(key, ctap2, algorithm):
    root = exported(key)
    root.verify_directly_issued_by(root)
    certificate, attestation = attested(ctap2, algorithm)
    certificate.verify_directly_issued_by(root)
    assert serial_number(certificate) is None
    assert not attestation.ep_att
    [unit] = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert unit.value == "Authenticator Attestation"
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)


def test_the_authority_is_that_of_the_state_folder(key, new_key):
    root = exported(key)
    assert exported(key) == root
    key.crash()
    assert exported(key) == root
    assert exported(new_key()) != root


def test_the_metadata_statement_has_the_root(key):
    statement = json.loads(wardkey(key, "metadata", "--attestation", "authority"))
    [root] = statement["attestationRootCertificates"]
    assert root in wardkey(key, "attestation", "export").replace("\n", "")
    assert statement["attestationTypes"] == ["basic_full"]


def test_an_enterprise_learns_the_serial_number_once_it_may(key, ctap2):
    assert ctap2.info.options["ep"] is False
    for kind in [1, 2]:
        with refused(ERR.INVALID_PARAMETER):
            attested(ctap2, enterprise_attestation=kind)
    Config(ctap2).enable_enterprise_attestation()
    assert ctap2.get_info().options["ep"] is True

    numbers = set()
    for rp, kind in [(RP, 1), (RP, 2), ({"id": "example.com", "name": "Other"}, 2)]:
        certificate, attestation = attested(ctap2, rp=rp, enterprise_attestation=kind)
        certificate.verify_directly_issued_by(exported(key))
        assert attestation.ep_att
        numbers.add(serial_number(certificate))
    assert len(numbers) == 1 and None not in numbers

    certificate, attestation = attested(
        ctap2, rp={"id": "example.com", "name": "Other"}, enterprise_attestation=1
    )
    assert serial_number(certificate) is None and not attestation.ep_att
