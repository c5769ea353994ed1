"""python-fido2's own device tests on a key of ours: a plugin, used as `pytest -p device_suite FOLDER/tests/device`.
With `--switched`, on a key that is in everything what a key usually is not.

It starts a key, shows it to the tests as the only one that is plugged in, and gives them its control port as their
`--controller`, so that nobody has to touch or replug anything. No test may skip itself, unless it is about an algorithm
that the key does not advertise: what cannot be tested is left out here, with the reason.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import fido2.hid
import pytest
from key_process import Key

ENTERPRISE_SITE = "enterprise.example"
SWITCHES = [
    *["--kind", "device-bound"],
    *["--large-blobs", "extension"],
    "--post-quantum",
    *["--attestation", "authority", "--enterprise", "--enterprise-site", ENTERPRISE_SITE],
]

# The beginnings of test names.
LEFT_OUT = {
    "test_bioenroll.py": "fingerprints are enrolled with the operating system, not with the key",
    "test_preview_sign.py": "previewSign is one vendor's extension",
    "test_sign_extension_v4.py": "previewSign is one vendor's extension",
    "test_clientpin.py::test_set_and_reset": "wants getPINRetries to fail without a PIN; CTAP 2.3 §6.5.5.2 does not",
}

LEFT_OUT_UNLESS_SWITCHED = {
    "test_config.py::test_ep_": "enterprise attestation is not configured",
}

LEFT_OUT_WHEN_SWITCHED = {
    "test_largeblobs.py": "data is kept with passkeys, not in the array",
    "test_credman.py::test_missing_permissions": "asks for a token for the array of large blobs",
}

ALGORITHM_IS_NOT_ADVERTISED = re.compile(r"Skipped: Algorithm \w+ not supported")

KEY = pytest.StashKey[Key]()
LEFT_OUT_HERE = pytest.StashKey[dict[str, str]]()


class UsbStack:
    """fido2.hid's view of the computer: one key, present while it has power."""

    key = None

    def list_descriptors(self):
        return [self.key.descriptor()] if self.key.is_plugged_in() else []

    def get_descriptor(self, path):
        assert path == self.key.address
        return self.key.descriptor()

    def open_connection(self, _descriptor):
        return self.key.open()


USB_STACK = UsbStack()
# The tests take these names when they are loaded, which is later than now.
for name in ["list_descriptors", "get_descriptor", "open_connection"]:
    setattr(fido2.hid, name, getattr(USB_STACK, name))


def pytest_addoption(parser):
    parser.addoption("--switched", action="store_true", help="throw all switches of the key")


def pytest_configure(config):
    is_switched = config.getoption("switched")
    config.stash[LEFT_OUT_HERE] = LEFT_OUT | (
        LEFT_OUT_WHEN_SWITCHED if is_switched else LEFT_OUT_UNLESS_SWITCHED
    )
    folder = TemporaryDirectory(prefix="wardkey-")
    config.add_cleanup(folder.cleanup)
    key = Key(Path(folder.name), presence="ask", arguments=SWITCHES if is_switched else [])
    config.add_cleanup(key.close)
    key.start()
    USB_STACK.key = config.stash[KEY] = key
    config.option.ep_rp_id = ENTERPRISE_SITE
    config.option.controller = f"http://127.0.0.1:{key.control_port}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    left_out_here = config.stash[LEFT_OUT_HERE]
    kept, left_out, beginnings = [], [], set()
    for item in items:
        name = item.nodeid.rpartition("/")[2]
        beginning = next((beginning for beginning in left_out_here if name.startswith(beginning)), None)
        (left_out if beginning else kept).append(item)
        beginnings.add(beginning)
    if gone := left_out_here.keys() - beginnings:
        raise pytest.UsageError(f"there are no such tests to leave out: {gone}")
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if report.skipped and not ALGORITHM_IS_NOT_ADVERTISED.fullmatch(report.longrepr[2]):
        report.outcome, report.longrepr = "failed", f"{report.nodeid} was not run: {report.longrepr[2]}"
    return report


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    terminalreporter.section("left out")
    for beginning, reason in config.stash[LEFT_OUT_HERE].items():
        terminalreporter.line(f"{beginning}*: {reason}")
    if exitstatus:
        terminalreporter.section("what the key said")
        terminalreporter.line(config.stash[KEY].what_it_said())
