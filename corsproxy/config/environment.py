"""``${NAME}`` and ``${NAME:-default}``: values from the environment.

Rules: this happens to scalars after the YAML was read, so a value can never add a key or a list entry; a name that is
not set is a problem and never an empty text; what a value contains is not looked at again.  ``$${`` writes a ``${``
that is meant as it stands, and a ``$`` before anything else is an ordinary character (regular expressions end in one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from corsproxy.config.written import Unusable

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """The text with its references replaced.

    Raises Unusable for a name that is not set and has no default, or a ``${`` that is no reference.
    """

    def value(reference: re.Match[str]) -> str:
        name, default = reference.groups()
        if reference[0] == "$${":
            return "${"
        if name is None:
            raise Unusable("a ${ that is no ${NAME} or ${NAME:-default}; write $${ for these two characters")
        if default is not None:
            return environment.get(name) or default  # as in a shell: empty counts as not set
        if name not in environment:
            message = f"the environment variable {name} is not set; set it, or give a default: ${{{name}:-...}}"
            raise Unusable(message)
        return environment[name]

    return _REFERENCE.sub(value, text)
