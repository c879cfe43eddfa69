"""Runs a listener on a terminal: prints what it does at SIGHUP while the terminal is there, and how it ends when that is closed."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

leader, follower = pty.openpty()
text = b""


def wait_for(part):
    global text
    began = time.monotonic()
    while part not in text:
        assert time.monotonic() - began < 60, text
        if select.select([leader], [], [], 0.1)[0]:
            text += os.read(leader, 4096)


def take_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


listener = subprocess.Popen(
    sys.argv[1:], stdin=follower, stdout=subprocess.DEVNULL, stderr=follower, preexec_fn=take_terminal
)
os.close(follower)
wait_for(b"the first samples")
listener.send_signal(signal.SIGHUP)
wait_for(b"read anew")
print("read anew", listener.poll())
os.close(leader)
print("ended with", listener.wait(timeout=60))
