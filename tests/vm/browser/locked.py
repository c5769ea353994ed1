"""What alice does with a vault that is locked again and again: locked.py COMMAND..., which locks it."""

import os
import subprocess
import sys

import website
from fido2.ctap2 import AttestedCredentialData
from key import questions, vault_pins_asked
from patience import until
from website import Login, Registration, accounts

_, *LOCK = sys.argv
NO_CREDENTIALS = "CTAP error response code 46"


def locks():
    subprocess.run(LOCK, check=True)


def logs_in():
    name, _ = Login(["alice"]).succeeds()
    assert name == "alice", name


def is_asked_when_the_vault_is_needed():
    Registration("alice").succeeds()
    assert vault_pins_asked() == 1, questions()
    logs_in()
    assert vault_pins_asked() == 1, questions()
    locks()
    logs_in()
    assert vault_pins_asked() == 2, questions()


def browser_has_the_answer():
    with open("browser.log") as log:
        return NO_CREDENTIALS in log.read()


def is_not_asked_for_what_another_key_has():
    """Where she has to be verified, Chromium wants that of every key before it looks for the passkey.

    It does not tell the page before she has read that this key is not the right one."""
    known = accounts["alice"]
    accounts["bob"] = AttestedCredentialData.create(known.aaguid, os.urandom(32), known.public_key)
    locks()
    assert not browser_has_the_answer()
    earlier = len(questions())
    Login(["bob"], verification="discouraged")
    until(browser_has_the_answer, "the key's answer")
    assert len(questions()) == earlier, questions()


website.serve()
is_asked_when_the_vault_is_needed()
is_not_asked_for_what_another_key_has()
