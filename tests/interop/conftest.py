"""A fresh key for each test. Run by `cargo xtask interop`, which sets WARDKEY to the release binary."""

from importlib.metadata import version

import pytest
from fido2.ctap2 import Ctap2
from fido2.ctap2.pin import ClientPin, PinProtocolV1, PinProtocolV2
from key_process import Key, make_vault
from parties import PIN


def pytest_report_header():
    return f"python-fido2 {version('fido2')}"


def pytest_configure(config):
    config.addinivalue_line("markers", "kept: the key has a vault on the disk, and can be started again")


@pytest.fixture(scope="session")
def vault(tmp_path_factory):
    """A vault that nobody has used; to make one takes a while."""
    folder = tmp_path_factory.mktemp("vault")
    make_vault(folder)
    return folder


@pytest.fixture
def new_key(request, tmp_path):
    """Starts keys: new_key(presence="ask"); what one said is shown when its test fails. A key is a temporary one, unless
    its test is marked `kept`."""
    keys = []
    vault = request.getfixturevalue("vault") if request.node.get_closest_marker("kept") else None

    def start(**options):
        folder = tmp_path / str(len(keys))
        folder.mkdir()
        key = Key(folder, vault=vault, **options)
        keys.append(key)
        key.start()
        return key

    yield start
    for key in keys:
        key.close()
        print(key.what_it_said())


@pytest.fixture
def key(new_key):
    return new_key()


@pytest.fixture
def device(key):
    return key.connect()


@pytest.fixture
def ctap2(device):
    # Checks each answer for canonical CBOR.
    return Ctap2(device, strict_cbor=True)


@pytest.fixture(params=[PinProtocolV1, PinProtocolV2], ids=["protocol-1", "protocol-2"])
def protocol(request):
    return request.param()


@pytest.fixture
def with_pin(ctap2):
    """The key has a PIN."""
    ClientPin(ctap2).set_pin(PIN)
