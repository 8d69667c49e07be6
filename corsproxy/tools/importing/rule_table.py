"""What was imported, as the text of a configuration that may run.

Rules: each rule is compiled before it is written, so that the text as a whole is valid; a policy that is refused is
listed with the reason that ``corsproxy check`` would give, and its path gets none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from corsproxy.config.load import load_config
from corsproxy.errors import InvalidConfig
from corsproxy.tools.importing.imported import NO_POLICY, Imported, Policy, Row, Value

_PLACE: Final = "imported"


def as_config(imported: Imported, source: str) -> str:
    """The text; "" where no rule is left.  Rules that are refused go to ``imported.remarks``."""
    config: dict[str, Any] = {"listen": imported.listen} if imported.listen else {}
    config |= {"policies": {}, "upstreams": {}, "rules": []}
    for line, row in imported.rules:
        if reason := _reason_against(row, config):
            imported.tell(line, f"the rule for {row.get('host', '')}{row['path']} is refused: {reason}")
            row = {**row, "policy": NO_POLICY}  # noqa: PLW2901  # or its path would be a broader rule's
        if not _reason_against(row, config):
            config["rules"].append(_written(row, config))
    if not config["rules"]:
        return ""
    told = {key: value for key, value in config.items() if value}
    return f"# Read from {source}; corsproxy check says what it means.\n{_yaml(told)}"


def _reason_against(row: Row, config: Mapping[str, Any]) -> str:
    """Why this rule may not stand beside those before it; "" for nothing."""
    trial = {key: dict(config[key]) for key in ("policies", "upstreams")}
    rules = [*config["rules"], _written(row, trial)]
    try:
        load_config(_yaml({**trial, "rules": rules}), _PLACE, {})
    except InvalidConfig as invalid:
        return "; ".join(problem.message for problem in invalid.problems)
    return ""


def _written(row: Row, config: dict[str, Any]) -> Row:
    """The row with its policy and upstream named, which ``config`` then has."""
    written = dict(row)
    if isinstance(row["policy"], Mapping):
        written["policy"] = _name(row["policy"], config["policies"], _name_of_policy(dict(row["policy"])))
    if isinstance(row["upstream"], Mapping):
        written["upstream"] = _name(row["upstream"], config["upstreams"], "upstream")
    return written


def _name(value: Mapping[str, Any], named: dict[str, Any], wanted: str) -> str:
    """Its name, which it has already or gets now."""
    for name, other in named.items():
        if other == value:
            return name
    name = wanted if wanted not in named else f"{wanted}-{len(named) + 1}"
    named[name] = dict(value)
    return name


def _name_of_policy(policy: Policy) -> str:
    return "everybody" if policy.get("allow_origins") == "*" else "pages"


class _Plain(yaml.SafeDumper):
    """YAML as people write it: no aliases, and lists of plain texts on one line."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's signature
        """Never an alias: what is alike has a name of its own."""
        return True


def _list(dumper: _Plain, items: list[Any]) -> yaml.Node:
    flow = all(isinstance(item, str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Plain.add_representer(list, _list)


def _yaml(config: Mapping[str, Any]) -> str:
    text: str = yaml.dump(_escaped(config), Dumper=_Plain, sort_keys=False, allow_unicode=False, width=110)
    return text


def _escaped(value: Value) -> Value:
    """The same, with ``${`` written so that nothing is put in its place."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items() if key != "__line__"}
    return [_escaped(inner) for inner in value] if isinstance(value, list | tuple) else value
