"""The release binary as a child process, and a connection to it that python-fido2 can use."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request

from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

REPORT_SIZE = 64
START_SECONDS = 30
ANSWER_SECONDS = 10


class RawConnection(CtapHidConnection):
    """Reports over a stream socket: 64 bytes each, nothing between them."""

    def __init__(self, address):
        is_path = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        self.socket.settimeout(ANSWER_SECONDS)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise

    def write_packet(self, data):
        assert len(data) == REPORT_SIZE
        self.socket.sendall(data)

    def read_packet(self):
        report = self.socket.recv(REPORT_SIZE, socket.MSG_WAITALL)
        if len(report) < REPORT_SIZE:
            raise ConnectionResetError("the key is gone")
        return report

    def close(self):
        self.socket.close()


VAULT_PIN = "tin ra of olm five"


def make_vault(folder):
    """A state folder, `folder/state`, whose Vault PIN is in the file `folder/vault-pin`."""
    vault_pin = folder / "vault-pin"
    vault_pin.touch(mode=0o600)
    vault_pin.write_text(VAULT_PIN)
    options = ["--vault-pin-file", str(vault_pin), "--no-recovery-kit", "--device-keys", "software"]
    command = [os.environ["WARDKEY"], "--state", str(folder / "state"), "init", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Key:
    """`wardkey serve --raw`. On a copy of a folder with a vault it survives being stopped and started again."""

    def __init__(self, folder, presence="always", over_tcp=False, arguments=(), vault=None):
        self.folder = folder
        self.kept = vault is not None
        if self.kept:
            shutil.copytree(vault, folder, dirs_exist_ok=True)
        self.arguments = arguments
        if over_tcp:
            self.address = ("127.0.0.1", free_port())
            self.raw = "{}:{}".format(*self.address)
        else:
            self.address = str(folder / "raw.sock")
            self.raw = f"unix:{self.address}"
        self.presence = presence
        self.control_port = free_port()
        self.process = None
        self.log = open(folder / "key.log", "ab")

    def start(self):
        self.process = subprocess.Popen(
            [
                os.environ["WARDKEY"],
                "serve",
                *self.where(),
                "--raw",
                self.raw,
                "--presence",
                self.presence,
                "--control",
                f"127.0.0.1:{self.control_port}",
                *self.arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.wait_until_plugged_in()

    def where(self):
        if self.kept:
            return ["--state", str(self.folder / "state"), "--vault-pin-file", str(self.folder / "vault-pin")]
        return ["--temporary"]

    def wait_until_plugged_in(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return RawConnection(self.address).close()
            except OSError:
                assert self.process.poll() is None, self.what_it_said()
                assert time.monotonic() < deadline, self.what_it_said()
                time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def crash(self):
        """Dies without a warning, and is started again."""
        assert self.kept, "nothing would be left"
        self.kill()
        self.start()

    def replug(self):
        self.control("/conformance/powercycle")
        self.wait_until_plugged_in()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.log.close()

    def what_it_said(self):
        return (self.folder / "key.log").read_text()

    def is_plugged_in(self):
        try:
            self.open().close()
        except OSError:
            return False
        return True

    def open(self):
        return RawConnection(self.address)

    def descriptor(self):
        return HidDescriptor(str(self.address), 0x1209, 0, REPORT_SIZE, REPORT_SIZE, "wardkey", None)

    def connect(self):
        return CtapHidDevice(self.descriptor(), self.open())

    def control(self, path, method="POST"):
        """Test mode's remote hand: touches the key, or pulls it out and plugs it in again."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control_port}{path}",
            data=b"{}" if method == "POST" else None,
            method=method,
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status


def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]
