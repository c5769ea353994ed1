"""What the key asked, and whether its user lets it wait."""

import json
import os
import signal

from patience import until

HESITATE = "/tmp/work/hesitate"
TAKEN_AWAY = "taken-away"


def questions():
    """What was asked so far; a question that was not answered is followed by a note."""
    try:
        with open("/tmp/questions") as file:
            return [json.loads(line) if line.startswith("{") else line for line in file.read().splitlines()]
    except FileNotFoundError:
        return []


def vault_pins_asked():
    """How often it was asked for the Vault PIN."""
    return sum(question["demand"] == "vault-pin" for question in questions())


class UserHesitates:
    """While it lasts the key's questions are not answered."""

    def __enter__(self):
        self.earlier = len(questions())
        open(HESITATE, "w").close()
        return self

    def __exit__(self, *_):
        os.remove(HESITATE)

    def is_asked(self):
        until(lambda: len(questions()) > self.earlier, "the key's question")

    def sees_it_go(self):
        until(lambda: questions()[-1] == TAKEN_AWAY, "the key's question go away")

    def unplugs_the_key(self):
        os.killpg(int(os.environ["KEY"]), signal.SIGINT)
