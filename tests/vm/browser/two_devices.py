"""What alice does on one of her devices: two_devices.py registers|logs-in NAME.

Each device has a browser of its own. The website is one for both, so what it knows is in a file."""

import json
import sys

import website
from website import Login, Registration

_, ACT, NAME = sys.argv
NOTES = "/tmp/work/registration.json"


def registers():
    registration = Registration(NAME)
    notes = {"state": registration.state, "credential": registration.credential()}
    website.registered(NAME, **notes)
    with open(NOTES, "w") as file:
        json.dump(notes, file)


def logs_in():
    with open(NOTES) as file:
        website.registered(NAME, **json.load(file))
    # The key says who it is.
    name, _ = Login().succeeds()
    assert name == NAME, name


website.serve()
{"registers": registers, "logs-in": logs_in}[ACT]()
