"""Files that commands write, and how commands end: each error with an exit code that means it."""

import os
import secrets
import stat
import sys
import traceback

EXIT_IO = 5
STANDARD_OUTPUT = "-"


def _stat(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _create(directory, mode):
    """(descriptor, path) of a new file in a directory. The mode is the umask's where None."""
    path = os.path.join(directory, f".aioscope-{secrets.token_hex(8)}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666 if mode is None else mode)
    if mode is not None:
        os.fchmod(descriptor, mode)
    return descriptor, path


def _replace(path, data, mode):
    # Where symbolic links lead to: they stay, and a rename must not cross file systems.
    target = os.path.realpath(path)
    descriptor, partial = _create(os.path.dirname(target), mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise


def _named(path, error):
    """Of a file that the user named, whatever name was at hand when it happened."""
    return OSError(error.errno, error.strerror, path)


def write(path, data):
    """Writes bytes so that a regular file is either what it was or whole, with the mode it had.
    What is no regular file, such as a pipe or a device, is written to; "-" is standard output.
    Raises OSError."""
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        found = _stat(path)
        if found is None or stat.S_ISREG(found.st_mode):
            _replace(path, data, found and stat.S_IMODE(found.st_mode) & 0o777)
            return
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise _named(path, error) from None


def check(path):
    """Raises the OSError that write() would fail with, as far as can be known before."""
    if path == STANDARD_OUTPUT:
        return
    try:
        found = _stat(path)
        if found is None or stat.S_ISREG(found.st_mode):
            descriptor, partial = _create(os.path.dirname(os.path.realpath(path)), 0o600)
            os.close(descriptor)
            os.unlink(partial)
        elif stat.S_ISDIR(found.st_mode) or not os.access(path, os.W_OK):
            # Opening a directory fails; a pipe without a reader would wait.
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        raise _named(path, error) from None


def guarded(name, call):
    """call(), with what nobody foresaw as one line and exit code 5: an end by an exception would be
    exit code 1, which is a verdict."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        # Names hold what the encoding of a terminal may not.
        stream.reconfigure(errors="backslashreplace")
    try:
        return call()
    except Exception as error:
        if os.environ.get("AIOSCOPE_TRACEBACK"):
            traceback.print_exc()
        text = " ".join(str(error).split())[:400]
        print(f"{name}: internal error: {type(error).__name__}{': ' if text else ''}{text} "
              "(AIOSCOPE_TRACEBACK=1 shows where)", file=sys.stderr)
        return EXIT_IO
