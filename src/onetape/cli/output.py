"""How commands speak: sentences and tables for people, one JSON document for programs, honest exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import msgspec

from onetape import observe
from onetape.domain.errors import BadInput, OnetapeError, Taken

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_HELD: Final = 3
STOPPED: Final = 130


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are BadInput, so that they look like all others. No abbreviations of flags."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}. `{self.prog} --help` shows what it takes.")


class Usage(OnetapeError):
    """The command line itself is wrong."""


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def print_json(value: object) -> None:
    """One JSON document on standard output. Structs, named tuples, NaN (as null) and numpy numbers are fine."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2) + b"\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def guarded(verb: str, args: Sequence[str], run: Callable[[str, Sequence[str]], int]) -> int:
    """Runs a verb; an error on purpose becomes its sentence on standard error, as JSON when --json was asked."""
    observe.configure("warning")  # a command's standard output is its answer; services set up more
    try:
        return run(verb, args)
    except (BadInput, Usage) as error:
        _complain(verb, args, error)
        return FAILED if isinstance(error, Taken) else USAGE
    except OnetapeError as error:
        _complain(verb, args, error)
        return FAILED
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # a full disk, a folder without permission: the system's words say it
        place = f": {error.filename}" if error.filename else ""
        _complain(verb, args, OnetapeError(f"{error.strerror or error}{place}."))
        return FAILED
    except KeyboardInterrupt:
        print(f"\nonetape {verb}: stopped before it was done.", file=sys.stderr)
        return STOPPED


def _complain(verb: str, args: Sequence[str], error: OnetapeError) -> None:
    if "--json" in args:
        document: dict[str, object] = {"error": str(error)}
        if isinstance(error, BadInput):
            document |= {"field": error.field, "value": str(error.value)}
        print_json(document)
    print(f"onetape {verb}: {error}", file=sys.stderr)
