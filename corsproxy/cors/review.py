"""The expression of a policy, reviewed: compiled, read, and tried with hostile origins.

Rules: an expression that cannot be read is refused, since nothing can be said about it; each reason comes with the
origin that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from corsproxy.cors.correction import diagnose
from corsproxy.cors.expression import escape_dots
from corsproxy.cors.hostile import hostile_to_regex
from corsproxy.cors.origin import read_origin
from corsproxy.cors.origin_list import INSECURE, is_insecure
from corsproxy.cors.regex import OriginRegex, compile_regex
from corsproxy.cors.samples import Reading, read_samples, spelled
from corsproxy.cors.spec import PolicySpec
from corsproxy.cors.suffixes import owner_part, suffix_part
from corsproxy.errors import InvalidOrigin, PolicyProblem


def review_regex(spec: PolicySpec) -> tuple[OriginRegex | None, list[PolicyProblem]]:
    """The compiled expression, if there is one, and what is wrong with it."""
    if spec.allow_origin_regex is None:
        return None, []
    if len(spec.allow_origin_regex) > 1 and spec.allow_origin_regex[0] == spec.allow_origin_regex[-1] == "/":
        reason = "it stands between slashes, which delimit an expression in JavaScript only; leave them out"
        return None, [_problem(reason, spec.allow_origin_regex[1:-1])]
    try:
        regex = compile_regex(spec.allow_origin_regex)
        reading = read_samples(spec.allow_origin_regex)
    except InvalidOrigin as error:
        return None, [_problem(str(error), error.correction)]
    problems = list(_danger(regex, reading, spec)) or list(_doubts(reading))
    return regex, [*problems, *_insecure(reading, spec)]


def _danger(regex: OriginRegex, reading: Reading, spec: PolicySpec) -> Iterator[PolicyProblem]:
    """The proof that a hostile origin is accepted, or an unescaped dot: a mistake even where it is harmless."""
    part = suffix_part if spec.dangerously_allow_public_suffix_subdomains else owner_part
    proof = hostile_to_regex(reading.samples, regex.match, part)
    correction = escape_dots(regex.text, reading.dots) if reading.dots else ""
    if proof is not None:
        origin, cause = proof
        yield _problem(f"it accepts {origin}: {cause}", correction)
    elif reading.dots:
        yield _problem("an unescaped dot matches any character; write '\\.'", correction)


def _doubts(reading: Reading) -> Iterator[PolicyProblem]:
    """What is no origin among the samples: one that stands for many texts, since nothing is known of those, or all."""
    strange = [sample for sample in reading.samples if read_origin(spelled(sample)) is None]
    free = [sample for sample in strange if any(piece.free for piece in sample)]
    if free or len(strange) == len(reading.samples):
        text = spelled((free or strange)[0])
        reason, correction = diagnose(text)
        spelled_out = len(reading.samples) == 1 and not free
        yield _problem(f"it takes {text!r}, which {reason}", re.escape(correction) if spelled_out else "")


def _insecure(reading: Reading, spec: PolicySpec) -> Iterator[PolicyProblem]:
    if not spec.allow_credentials or spec.dangerously_allow_insecure_origins:
        return
    for text in map(spelled, reading.samples):
        origin = read_origin(text)
        if origin and is_insecure(origin.scheme, origin.host):
            yield _problem(f"it accepts {text}, which {INSECURE}")
            return


def _problem(reason: str, correction: str = "") -> PolicyProblem:
    return PolicyProblem("allow_origin_regex", None, reason, correction)
