"""A registration after which the power is cut, and the login when it is back: power_cut.py before|after.

The website is another computer, so what it knows is on the host."""

import json
import sys

import website
from key import questions, vault_pins_asked
from website import Login, Registration

NOTES = "/host/results/registration.json"


def before():
    registration = Registration("alice")
    notes = {"state": registration.state, "credential": registration.credential()}
    with open(NOTES, "w") as file:
        json.dump(notes, file)
    with open("/proc/sysrq-trigger", "w") as trigger:
        trigger.write("b")


def after():
    with open(NOTES) as file:
        notes = json.load(file)
    website.registered("alice", notes["state"], notes["credential"])
    name, _ = Login(["alice"]).succeeds()
    assert name == "alice", name
    assert vault_pins_asked() == 1, questions()


website.serve()
{"before": before, "after": after}[sys.argv[1]]()
