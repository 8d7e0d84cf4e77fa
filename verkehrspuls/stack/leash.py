"""Run a program that ends when its parent ends, however the parent ends.

    python -I -S leash.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT…]

A separate script, so that the parent may have threads: this code would not be safe
between its fork and exec. PARENT is the parent's pid; when the parent ends, the program
gets SIGNAL. UID and GID are the account to switch to first, `-` for no change.

Linux supports this (PR_SET_PDEATHSIG) and the program replaces this process. Elsewhere
this process stays, watches its standard input, which the parent holds open, and passes
signals on.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Replace this process by the program, or watch over it."""
    parent, number, uid, gid, *command = arguments
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None) if linux else None  # while its files can still be read
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    # Python ignores it, and the program would inherit that
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if libc is None:
        return watch(command, signal.Signals(int(number)))
    # after the change of user, which would reset it
    libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        return 1  # the parent has ended already
    os.execv(command[0], command)  # noqa: S606


def watch(command: list[str], when_left: signal.Signals) -> int:
    """Run the program until it ends, or until standard input is closed."""
    import subprocess
    import threading

    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        while os.read(0, 4096):
            pass
        program.send_signal(when_left)

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(one, lambda number, _: program.send_signal(number))
    threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
    code = program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        sys.exit(f"{sys.argv[5]} cannot be run: {error}")
