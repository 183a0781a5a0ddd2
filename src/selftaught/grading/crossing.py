"""What runs at both ends when a check calls a program in another process: values are taken apart here and put together there.

This file is sent as text into two sandboxed interpreters and imports nothing but the standard library. In the one, ``answer``
calls the program's function. In the other, ``Check`` runs the check, and its ``candidate`` sends each call over and waits for
the reply. So the check sees plain values that were made in its own process, and the program has no object, no name and no
frame of the check in reach.

What crosses: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, deque, Decimal,
Fraction, dates and times; iterators and views of dictionaries with what they hold; NumPy's numbers and arrays as plain numbers
and lists; of a subclass, its plain base. Anything else is an error of the program. What a call does to a list, dict, set or
bytearray that it was given is done to the check's own object too. An exception crosses as the nearest built-in one.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import datetime
import decimal
import fractions
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any

MAX_ITEMS = 1_000_000
"""Most values that are taken from an iterator."""

_MAX_AHEAD = 64
_MAX_UNKNOWN = 1_000  # operations on results that are not known: a loop that waits for another answer ends
_MAX_TRIAL_S = 0.3
_SMALL = 1 << 62
_MUTABLE = (list, dict, set, bytearray)
_ITERATES: dict[type, Callable[[Any], Iterable[Any]]] = {
    tuple: tuple.__iter__,
    set: set.__iter__,
    frozenset: frozenset.__iter__,
    collections.deque: collections.deque.__iter__,
}
"""Collections, and how to go through one whatever a subclass says."""
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
}
_FROM_LIST: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "iterator": iter,
    "deque": collections.deque,
    "range": lambda parts: range(*parts),
    "complex": lambda parts: complex(*parts),
    "timedelta": lambda parts: datetime.timedelta(*parts),
}


def pack(value: Any) -> Any:
    """``value`` as JSON can carry it. TypeError for what does not cross."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__add__(value, 0)
        return number if -_SMALL < number < _SMALL else {"int": hex(number)}
    if isinstance(value, float):
        return {"float": float.hex(float.__mul__(value, 1.0))}
    if isinstance(value, list):
        return [pack(one) for one in list.__iter__(value)]
    if isinstance(value, dict):
        return {"dict": [[pack(key), pack(one)] for key, one in dict.items(value)]}
    if isinstance(value, range):
        return {"range": [pack(value.start), pack(value.stop), pack(value.step)]}
    for kind, parts in _ITERATES.items():
        if isinstance(value, kind):
            return {kind.__name__: [pack(one) for one in parts(value)]}
    return _pack_other(value)


def _pack_other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"bytes" if isinstance(value, bytes) else "bytearray": bytes(value).hex()}
    if isinstance(value, complex):
        return {"complex": [pack(value.real), pack(value.imag)]}
    if isinstance(value, decimal.Decimal | fractions.Fraction):
        return {"Decimal" if isinstance(value, decimal.Decimal) else "Fraction": str(value)}
    for kind in (datetime.datetime, datetime.date, datetime.time):
        if isinstance(value, kind):
            return {kind.__name__: value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, collections.abc.KeysView | collections.abc.ItemsView):
        return pack(set(value))
    if isinstance(value, collections.abc.ValuesView):
        return pack(list(value))
    if type(value).__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None)):
        return pack(value.tolist())
    if isinstance(value, collections.abc.Iterator):
        items = []
        for one in value:
            items.append(pack(one))
            if len(items) > MAX_ITEMS:
                raise TypeError(f"an iterator of more than {MAX_ITEMS} values")
        return {"iterator": items}
    raise TypeError(f"a value of type {type(value).__name__}, which is no plain value")


def unpack(value: Any) -> Any:
    """What ``pack`` took apart. ValueError or TypeError for what it cannot have made."""
    if isinstance(value, list):
        return [unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in _FROM_TEXT:
        return _FROM_TEXT[kind](content)
    return _FROM_LIST[kind]([unpack(one) for one in content])


def say(mark: str, text: str) -> None:
    """Write ``text`` between two marks to descriptor 1, after all that was printed before."""
    try:
        sys.stdout.flush()
    except Exception:  # closed or replaced by the program: what it printed is not ours to judge
        pass
    data = memoryview(f"{mark}{text}{mark}\n".encode("ascii"))
    while data:
        data = data[os.write(1, data) :]


# ------------------------------------------------------------------------------------------------- the program's end


def answer(names: dict[str, Any], name: str, request: str, mark: str) -> None:
    """Call the function ``name`` among ``names``, or the method of ``Solution``, and say what came of it."""
    holder = names.get("Solution")
    if isinstance(holder, type) and hasattr(holder, name):
        function = getattr(holder(), name)
    elif name in names:
        function = names[name]
    else:
        raise NameError(f"the program defines no function {name!r}")
    arguments, keywords = unpack(json.loads(request))
    mutable = [(index, pack(one)) for index, one in enumerate(arguments) if isinstance(one, _MUTABLE)]
    try:
        value = pack(function(*arguments, **keywords))
    except Exception as error:
        say(mark, json.dumps({"raised": _exception(error)}))
        return
    changed = [(index, after) for index, before in mutable if (after := pack(arguments[index])) != before]
    say(mark, json.dumps({"value": value, "changed": changed}))


def _exception(error: Exception) -> list[str]:
    """Name of the nearest built-in exception, and the message."""
    name = next(one.__name__ for one in type(error).__mro__ if getattr(builtins, one.__name__, None) is one)
    return [name, str(error) if name == type(error).__name__ else f"{type(error).__name__}: {error}"]


# --------------------------------------------------------------------------------------------------- the check's end


class Check:
    """A check under way in a thread of its own, so that it can stand still in the middle of a call.

    With ``ahead`` the first report names the calls that the check will make if all goes well: they can be made at once
    and their replies given together.
    """

    def __init__(self, source: str, helpers: str, name: str, mark: str, ahead: bool = False) -> None:
        self._mark = mark
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ready: collections.deque[tuple[str, str]] = collections.deque()
        self._source, self._helpers, self._name = source, helpers, name
        self._foreseen: list[str] = []
        if ahead:
            trial = threading.Thread(target=self._try, daemon=True)
            trial.start()
            trial.join(_MAX_TRIAL_S)
            ahead = not trial.is_alive()
        self._is_clean = ahead
        threading.Thread(target=self._run, daemon=True).start()

    def report(self) -> None:
        """Say what the check does next: a call, or its end."""
        event = self._events.get()
        if self._is_clean and self._foreseen[:1] == [event.get("call")]:
            event["ahead"], self._foreseen = self._foreseen, []
        say(self._mark, json.dumps(event))

    def resume(self, requests: list[str], replies: list[str]) -> None:
        """Give the check the replies to its call and to those that it is expected to make next, and report again."""
        self._ready.extend(zip(requests[1:], replies[1:], strict=False))
        self._replies.put(replies[0])
        self.report()

    def _try(self) -> None:
        """Go through the check with results that are right whatever is asked of them, to see the calls."""
        left = [_MAX_UNKNOWN]

        def call(*arguments: Any, **keywords: Any) -> Any:
            self._foreseen.append(json.dumps(pack([list(arguments), keywords])))
            if len(self._foreseen) >= _MAX_AHEAD:
                raise _Enough
            return _Unknown(left)

        try:
            self._go_through(call)
        except BaseException:
            pass  # as far as it can be seen

    def _run(self) -> None:
        try:
            self._go_through(self._call)
        except BaseException as error:
            last = traceback.format_exception_only(error)[-1].strip()
            self._events.put({"failed": f"{last}{_place(error)}"})
        else:
            self._events.put({"passed": True})

    def _go_through(self, call: Callable[..., Any]) -> None:
        names: dict[str, Any] = {"__name__": "check"}
        exec(compile(self._helpers, "<helpers>", "exec", 0, True), names)
        exec(compile(self._source, "<check>", "exec", 0, True), names)
        names[self._name] = call
        names["check"](call)

    def _call(self, *arguments: Any, **keywords: Any) -> Any:
        request = json.dumps(pack([list(arguments), keywords]))
        if self._ready:
            foreseen, text = self._ready.popleft()
            if foreseen != request:  # the program has been called otherwise: what it replies now is worth nothing
                self._events.put({"astray": True})
                self._replies.get()
        else:
            self._events.put({"call": request})
            text = self._replies.get()
        reply = json.loads(text)
        if "raised" in reply:
            kind, message = reply["raised"]
            known = getattr(builtins, kind, None)
            if not (isinstance(known, type) and issubclass(known, Exception)):
                known = RuntimeError
            raise (RuntimeError if issubclass(known, UnicodeError | BaseExceptionGroup) else known)(message)
        for index, after in reply["changed"]:
            _become(arguments[index], unpack(after))
        return unpack(reply["value"])


class _Enough(BaseException):
    """Ends the trial of a check."""


class _Unknown:
    """A result that is not known yet. It lives in the check's own process and in a trial only; no verdict rests on it."""

    def __init__(self, left: list[int]) -> None:
        self._left = left

    def _same(self, *_: Any) -> _Unknown:
        self._left[0] -= 1
        if self._left[0] < 0:
            raise _Enough
        return self

    def _true(self, *_: Any) -> bool:
        return self._same() is self

    def _zero(self) -> float:
        return 0.0 * self._true()

    def _end(self, *_: Any) -> Any:
        raise _Enough

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _true
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = (
        _same
    )
    __mod__ = __neg__ = __abs__ = __round__ = __getitem__ = _same
    __float__ = _zero
    __iter__ = __len__ = __hash__ = __index__ = __int__ = __str__ = __repr__ = _end


def _become(target: Any, value: Any) -> None:
    """Make the list, dict, set or bytearray ``target`` equal to ``value``."""
    if isinstance(target, list | bytearray):
        target[:] = value
    else:
        target.clear()
        target.update(value)


def _place(error: BaseException) -> str:
    """The line of the check where it failed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<check>"]
    return f" (line {lines[-1]} of the check)" if lines else ""
