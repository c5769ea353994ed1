"""Eyes and hands of the person in front of the screen: looks at Xvfb's frame buffer, types through xdotool."""

import os
import struct
import subprocess
import time

from patience import until

FRAME_BUFFER = os.environ["FRAME_BUFFER"]
# The page's color, at places that a dialog covers or darkens, and that what hangs from the address bar covers.
PAGE = (0, 160, 0)
PAGE_AT = [(40, 720), (225, 150)]
# So many rows change when a caret blinks; other small things move less.
CARET_ROWS = range(10, 31)
SMALL_CHANGE = range(0, 31)
# From one look to the next, of the time of all processors.
IDLE_SECONDS = 0.2


class Picture:
    """What is on the screen: an X window dump, 32 bits a pixel."""

    def __init__(self):
        with open(FRAME_BUFFER, "rb") as file:
            dump = file.read()
        header = struct.unpack_from(">25I", dump)
        start, self.height, self.row_len, colors = header[0], header[5], header[12], header[19]
        self.pixels = dump[start + colors * 12 :]

    def row(self, y):
        return self.pixels[y * self.row_len : (y + 1) * self.row_len]

    def color(self, x, y):
        blue, green, red, _ = self.row(y)[4 * x : 4 * x + 4]
        return red, green, blue

    def rows_unlike(self, other):
        return sum(self.row(y) != other.row(y) for y in range(self.height))

    def shows_page(self):
        return all(self.color(*place) == PAGE for place in PAGE_AT)


def idle_time():
    """So many seconds the processors had nothing to do."""
    with open("/proc/uptime") as file:
        return float(file.read().split()[1])


def settles(change=SMALL_CHANGE):
    """Waits until no more than this changes between two looks, and the browser has time for what comes next.

    (One that is busy with its windows takes a key's answer for missing; on an emulated machine that is likely.)"""
    picture, idle = Picture(), idle_time()

    def is_calm():
        nonlocal picture, idle
        earlier, idle_earlier = picture, idle
        time.sleep(0.2)
        picture, idle = Picture(), idle_time()
        return picture.rows_unlike(earlier) in change and idle - idle_earlier > IDLE_SECONDS

    until(is_calm, "the screen at rest")


def dialog_opens():
    """A dialog with a text field, which has the focus when its caret blinks."""
    until(lambda: not Picture().shows_page(), "a dialog")
    settles(CARET_ROWS)


def page_is_back():
    until(lambda: Picture().shows_page(), "the page")


def shows(color, *place):
    until(lambda: Picture().color(*place) == color, f"the color {color} at {place}")
    settles()


def types(text, *keys):
    subprocess.run(["xdotool", "type", text], check=True)
    presses(*keys)


def presses(*keys):
    for key in keys:
        subprocess.run(["xdotool", "key", key], check=True)


def clicks(x, y):
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], check=True)
