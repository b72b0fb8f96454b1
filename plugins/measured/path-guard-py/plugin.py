"""The rule of `path-guard` for measuring, in Python: words beneath a forbidden path. It knows nothing of open words, so it is no
example of a guard."""

import json
import posixpath
import re

from wit_world import exports
from wit_world.imports import types

STARTS = re.compile(r"(?:^|[=:,@ ])(/.*)")


class Validator(exports.Validator):
    def validate(self, context: types.CommandContext) -> types.Verdict:
        forbidden = [posixpath.normpath(path) for path in json.loads(context.settings)["deny"]]
        for leaf in context.leaves:
            for word in leaf.argv:
                for start in STARTS.finditer(word):
                    path = posixpath.normpath(start[1])
                    if any(path == root or path.startswith(root + "/") for root in forbidden):
                        reason = "A word of the command lies beneath it."
                        return types.Verdict_Objection(types.Objection("path_forbidden", reason))
        return types.Verdict_NoObjection()
