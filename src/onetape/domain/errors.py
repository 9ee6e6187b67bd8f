"""What can go wrong, by who has to react. Every text is a sentence for a person: what is wrong, where, what to do."""

from __future__ import annotations


class OnetapeError(Exception):
    """The root of every error that onetape raises on purpose."""


class BadInput(OnetapeError):
    """A person or a file gave something that cannot be used; nothing was changed.

    `field` is the path of the input (`$.strategy.fast`, `--timerange`, `line 17, column 3`), `value` what stood there,
    `remedy` what to do instead.
    """

    def __init__(self, field: str, value: object, problem: str, remedy: str = "") -> None:
        self.field, self.value, self.problem, self.remedy = field, value, problem, remedy
        shown = repr(value)
        shown = shown if len(shown) <= 120 else shown[:117] + "..."
        super().__init__(f"{field} is {shown}: {problem}." + (f" {remedy}" if remedy else ""))


class NotFound(BadInput):
    """The thing named does not exist."""


class Conflict(BadInput):
    """The thing named exists already, or is in a state that does not allow what was asked."""


class Taken(Conflict):
    """The input makes sense, but another program has the port or the folder just now."""


class Transient(OnetapeError):
    """It may pass: network, rate limit, deadlock. Retried at the adapter, then by the supervisor; never on submit."""


class Refused(OnetapeError):
    """The venue or a rule said no. Recorded, and on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Damaged(Refused):
    """A file of the archive is missing or is not what was written: what is in it cannot be read, all else goes on."""


class Halt(OnetapeError):
    """A person is needed: this bot halts and says so; the others go on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
