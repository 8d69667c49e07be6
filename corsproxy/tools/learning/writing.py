"""Changes put into the text of a configuration, with what has shown them as comments; all else stays as it was written.

Rules: ruamel.yaml knows where a new entry belongs and how the file is indented; since it writes a whole file in a style
of its own, only the lines that differ because of a change are taken from what it writes, and put into the user's text;
where that does not come to the same, its text is the result.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from corsproxy.config.written import Path
from corsproxy.tools.learning.changes import Added, Changes
from corsproxy.tools.learning.evidence import Tally
from corsproxy.tools.learning.places import Place
from corsproxy.tools.learning.wanted import Wanted

NEW: Final = "policies: {}\nrules: []\n"
_SEEN: Final = "seen"  # how each comment begins
_WIDE: Final = 4096  # no line is broken
_NAMES_IN_LINE: Final = re.compile(r"(?<=\S) # seen ")
# What a list has where its key is left out, so that an entry more takes nothing away.
_DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {"allow_methods": ("GET", "HEAD", "POST")}


def written(text: str, changes: Changes, upstream: str) -> str:
    """The text after the changes; new rules lead to ``upstream``."""
    document = _Document(text.replace("\r\n", "\n"))
    for path, wanted in changes.widened:
        document.widen(path, wanted)
    for added in changes.added:
        document.add_policy(added, upstream)
    for place, seen in changes.forwarded.items():
        document.add_rule(place, upstream, "none", seen)
    result = document.text()
    return result.replace("\n", "\r\n") if "\r\n" in text else result


class _Document:
    def __init__(self, text: str) -> None:
        self._source = text
        self._root: Any = _reader().load(text)
        self._style = _style(self._root)
        self._before = self._dumped()

    def text(self) -> str:
        after = self._dumped()
        merged = _merged(self._source, self._before, after)
        return merged if _plain(merged) == _plain(after) else after

    def widen(self, path: Path, wanted: Wanted) -> None:
        """Add to a policy that there is."""
        policy = self._root
        for step in path:
            policy = policy[step]
        _fill(policy, wanted, _DEFAULTS)

    def add_policy(self, added: Added, upstream: str) -> None:
        """Add a policy, and give it to its rules."""
        policy = CommentedMap()
        _fill(policy, added.wanted, {})
        _append(self._section("policies", CommentedMap), added.name, policy)
        for index in added.rules:
            self._root["rules"][index]["policy"] = added.name
        for place in added.places:
            self.add_rule(place, upstream, added.name)

    def add_rule(self, place: Place, upstream: str, policy: str, seen: Tally | None = None) -> None:
        """Add a rule at the end."""
        rule = CommentedMap({"path": place.path, "upstream": upstream, "policy": policy})
        if seen is not None:
            _comment(rule, "policy", f"{seen}, by no page of another origin")
        _append(self._section("rules", CommentedSeq), None, rule)

    def _section(self, key: str, kind: type[CommentedMap | CommentedSeq]) -> Any:  # noqa: ANN401  # ruamel's own
        if not self._root.get(key):  # left out, or {} or [], which a block cannot grow out of
            self._root[key] = kind()
        return self._root[key]

    def _dumped(self) -> str:
        writer = _reader()
        mapping, sequence, offset = self._style
        writer.indent(mapping=mapping, sequence=sequence, offset=offset)
        stream = io.StringIO()
        writer.dump(self._root, stream)
        return _NAMES_IN_LINE.sub("  # seen ", stream.getvalue())


def _reader() -> YAML:
    reader = YAML()
    reader.preserve_quotes = True
    reader.width = _WIDE
    return reader


def _fill(policy: CommentedMap, wanted: Wanted, defaults: Mapping[str, Sequence[str]]) -> None:
    """Put into a policy what is wanted of it; what it has stays, and so does what it has by default."""
    for key, entries in wanted.lists:
        if entries:
            _extend(policy, key, dict(sorted(entries.items())), defaults.get(key, ()))
    flags = {**({"allow_credentials": wanted.credentials} if wanted.credentials else {}), **wanted.flags}
    for key, seen in flags.items():
        if key in policy:
            policy[key] = True
        else:
            _append(policy, key, True)  # noqa: FBT003  # a value like any other
        _comment(policy, key, str(seen))


def _extend(policy: CommentedMap, key: str, entries: Mapping[str, Tally], default: Sequence[str]) -> None:
    present = policy.get(key)
    if not isinstance(present, CommentedSeq):
        present = CommentedSeq([present] if isinstance(present, str) else default)
        if policy.fa.flow_style() or key in policy or default:
            present.fa.set_flow_style()
    new = {entry: seen for entry, seen in entries.items() if entry not in present}  # an alias may have got it already
    for entry, seen in new.items():
        _append(present, None, entry)
        _comment(present, len(present) - 1, str(seen))
    if key in policy:
        policy[key] = present
    else:
        _append(policy, key, present)
    if present.fa.flow_style() and new:
        _comment(policy, key, "; ".join(f"{entry} {seen}" for entry, seen in new.items()))


def _append(node: CommentedMap | CommentedSeq, key: str | None, value: object) -> None:
    """Put something at the end, before the comments and empty lines that follow the last entry."""
    trailing = _take_trailing(node)
    if isinstance(node, CommentedMap):
        node[key] = value
    else:
        node.append(value)
    if trailing:
        holder, last = _last(node)
        token = _token(holder, last)
        if token is None:
            _add_token(holder, last, f"\n{trailing}")
        else:
            token.value = f"{token.value.rstrip()}\n{trailing}"


def _take_trailing(node: CommentedMap | CommentedSeq) -> str:
    """Cut off the comments and empty lines below the last entry; what stands beside it stays."""
    if not node or node.fa.flow_style():
        return ""
    holder, last = _last(node)
    token = _token(holder, last)
    beside, _, below = token.value.partition("\n") if token else ("", "", "")
    if token and below:
        token.value = f"{beside}\n"
        if not beside:
            del holder.ca.items[last]
    return below


def _last(node: CommentedMap | CommentedSeq) -> tuple[Any, Any]:
    """The innermost block that ends where this one does, and its last key."""
    while True:
        key = next(reversed(node)) if isinstance(node, CommentedMap) else len(node) - 1
        below = node[key]
        if not isinstance(below, CommentedMap | CommentedSeq) or below.fa.flow_style() or not below:
            return node, key
        node = below


def _slot(node: CommentedMap | CommentedSeq) -> int:
    """Where ruamel.yaml keeps the comment behind an entry."""
    return 2 if isinstance(node, CommentedMap) else 0


def _token(node: CommentedMap | CommentedSeq, key: object) -> Any:  # noqa: ANN401  # ruamel's own
    comments = node.ca.items.get(key)
    return comments[_slot(node)] if comments else None


def _add_token(node: CommentedMap | CommentedSeq, key: object, text: str) -> None:
    token = CommentToken(text, CommentMark(0), None)
    node.ca.items[key] = [token if slot == _slot(node) else None for slot in range(4)]
    below = node[key]
    if isinstance(below, CommentedMap | CommentedSeq):
        below.ca.comment = None  # the same once more, where it was read


def _comment(node: CommentedMap | CommentedSeq, key: object, text: str) -> None:
    """Say beside an entry what has shown it, unless something is said there already, or there is no room for it."""
    token = _token(node, key)
    if node.fa.flow_style():
        return
    if token is None:
        _add_token(node, key, f"# {_SEEN} {text}\n")
    elif token.value.startswith("\n"):
        token.value = f"# {_SEEN} {text}{token.value}"


def _style(root: Any) -> tuple[int, int, int]:  # noqa: ANN401  # ruamel's own
    """How a file is indented: a mapping, the entries of a list, and their dashes; the first of each that is found."""
    mapping = sequence = offset = 0
    pending = [root]
    while pending:
        node = pending.pop(0)
        below = list(node.values() if isinstance(node, CommentedMap) else node)
        for child in below:
            if not isinstance(child, CommentedMap | CommentedSeq) or child.fa.flow_style() or not child:
                continue
            pending.append(child)
            if isinstance(node, CommentedMap) and isinstance(child, CommentedMap):
                mapping = mapping or child.lc.col - node.lc.col
            elif isinstance(node, CommentedMap):
                offset = offset if sequence else child.lc.col - node.lc.col
                sequence = sequence or child.lc.item(0)[1] - node.lc.col
    return mapping or 2, sequence or 4, offset if sequence else 2


def _merged(source: str, before: str, after: str) -> str:
    """The source with the lines that differ between two other texts, where they can be told apart in it; else those."""
    lines, old, new = (text.splitlines(keepends=True) for text in (source, before, after))
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at: dict[int, int] = {}  # the same line, by its number in ``old`` and in the source
    for ours, theirs, size in _matcher(lines, old).get_matching_blocks():
        at.update({theirs + step: ours + step for step in range(size)})
    merged, done = list[str](), 0
    for tag, start, end, first, last in _matcher(old, new).get_opcodes():
        if tag == "equal":
            continue
        places = [at.get(number) for number in range(start, end)] or [_after(at, start)]
        begin = places[0]
        if begin is None or (start != end and places != list(range(begin, begin + end - start))):
            return after
        # As far indented as the source has the line that is replaced, or the one before it.
        beside = start if start != end else start - 1
        shift = _indent(lines[at[beside]]) - _indent(old[beside]) if beside in at else 0
        merged += [*lines[done:begin], *(_shifted(line, shift) for line in new[first:last])]
        done = begin + end - start
    return "".join([*merged, *lines[done:]])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _shifted(line: str, columns: int) -> str:
    return " " * max(0, _indent(line) + columns) + line.lstrip(" ")


def _after(at: Mapping[int, int], number: int) -> int | None:
    """Where in the source something belongs that comes before this line."""
    if number == 0:
        return 0
    return at[number - 1] + 1 if number - 1 in at else at.get(number)


def _matcher(one: Sequence[str], other: Sequence[str]) -> difflib.SequenceMatcher[str]:
    """Compares lines, whatever white space is in them."""
    plain, others = ([" ".join(line.split()) for line in lines] for lines in (one, other))
    return difflib.SequenceMatcher(None, plain, others, autojunk=False)


def _plain(text: str) -> object:
    """What a YAML text says; the text itself where it is none."""
    try:
        return yaml.load(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return text
