"""Where the componentizer begins: a resource is looked for in the module of its interface, `redactor.py`."""

from redactor import Stream  # noqa: F401
from wit_world import exports


class Redactor(exports.Redactor):
    pass
