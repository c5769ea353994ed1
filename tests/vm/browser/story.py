"""What alice does: story.py chromium|firefox pin|key, with a key that verifies her by its PIN or by itself."""

import sys

import website
from key import UserHesitates, questions
from screen import clicks, dialog_opens, page_is_back, presses, settles, shows, types
from website import Login, Registration, websafe_decode

_, BROWSER, VERIFIED_BY = sys.argv
PIN = "1234"
SALT = b"the salt of a website, 32 bytes."
BLOB = b"kept with a passkey"
# Firefox has none: it says nothing to what a page asks of them.
HAS_LARGE_BLOBS = BROWSER == "chromium"


def enters_pin():
    dialog_opens()
    types(PIN, "Return")


def chooses_the_second_account():
    if BROWSER == "chromium":
        # Two rows, of which the first has the focus.
        shows((242, 242, 242), 320, 330)
        presses("Tab", "Return")
    else:
        # A button for the first, and a menu that opens beside it for the others.
        shows((228, 228, 229), 506, 174)
        clicks(516, 174)
        shows((255, 255, 255), 454, 218)
        clicks(490, 206)


def registers_two_accounts():
    for name in ["alice", "bob"]:
        registration = Registration(
            name,
            extensions={
                "credentialProtectionPolicy": "userVerificationRequired",
                "enforceCredentialProtectionPolicy": True,
                "largeBlob": {"support": "required"},
                "prf": {},
            },
        )
        enters_pin()
        data, client = registration.succeeds()
        assert data.extensions == {"credProtect": 3, "hmac-secret": True}, data
        assert client["prf"] == {"enabled": True}, client
        assert client.get("largeBlob") == ({"supported": True} if HAS_LARGE_BLOBS else None), client
        page_is_back()


def logs_in_without_a_name():
    login = Login()
    enters_pin()
    # The key lists the newest first.
    chooses_the_second_account()
    name, _ = login.succeeds()
    assert name == "alice", name
    page_is_back()


def logs_in(expected, **extensions):
    """Gives what the browser says about the extensions."""
    login = Login([expected], extensions=extensions)
    enters_pin()
    name, client = login.succeeds()
    assert name == expected, name
    page_is_back()
    return client


def gets_secret(name):
    return logs_in(name, prf={"eval": {"first": SALT}})["prf"]["results"]["first"]


def gets_secrets():
    secret = gets_secret("alice")
    assert len(websafe_decode(secret)) == 32, secret
    assert gets_secret("alice") == secret
    assert gets_secret("bob") != secret


def keeps_a_blob():
    assert logs_in("alice", largeBlob={"write": BLOB})["largeBlob"] == {"written": True}
    read = logs_in("alice", largeBlob={"read": True})["largeBlob"]
    assert websafe_decode(read["blob"]) == BLOB, read
    assert logs_in("bob", largeBlob={"read": True})["largeBlob"] == {}


def cancels():
    earlier = len(questions())
    login = Login()
    dialog_opens()
    presses("Escape")
    assert login.fails() == "NotAllowedError"
    assert len(questions()) == earlier
    page_is_back()


def cancels_while_the_key_asks():
    with UserHesitates() as user:
        login = Login()
        enters_pin()
        user.is_asked()
        settles()
        presses("Escape")
        assert login.fails() == "NotAllowedError"
        user.sees_it_go()
    page_is_back()


def unplugs_the_key_while_it_asks():
    with UserHesitates() as user:
        login = Login()
        enters_pin()
        user.is_asked()
        settles()
        user.unplugs_the_key()
        user.sees_it_go()
        if BROWSER == "chromium":
            # "Reinsert your security key and try again", which is not what she wants.
            settles()
            presses("Escape")
        assert login.fails() == "NotAllowedError"
    page_is_back()


def uses_the_pin():
    registers_two_accounts()
    logs_in_without_a_name()
    gets_secrets()
    if HAS_LARGE_BLOBS:
        keeps_a_blob()
    cancels()
    cancels_while_the_key_asks()
    unplugs_the_key_while_it_asks()


def is_verified_by_the_key():
    """Types nothing: there is no dialog to answer."""
    earlier = len(questions())
    Registration("carol").succeeds()
    page_is_back()
    name, _ = Login(["carol"]).succeeds()
    assert name == "carol", name
    page_is_back()
    assert [question["demand"] for question in questions()[earlier:]] == ["verification", "verification"]


website.serve()
page_is_back()
{"pin": uses_the_pin, "key": is_verified_by_the_key}[VERIFIED_BY]()
