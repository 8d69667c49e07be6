"""The plan: what is to be done with a request head, decided in one place before a byte is sent.

``plan(table, head, client)`` is a pure function.  It finds the rule, takes the policy's decision, and either holds the
proxy's own answer or everything that the upstream leg needs.  Order matters: the rule and the decision come first, so
that every refusal after them carries the CORS lines which let an allowed page read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.decision import NO_POLICY, Decision, Outcome
from corsproxy.cors.policy import Policy
from corsproxy.errors import MalformedRequest
from corsproxy.http.answers import OwnAnswer, quoted
from corsproxy.http.target import Target, forward_path, parse_host, parse_target
from corsproxy.proxy.framing import NO_BODY, Framing, request_framing
from corsproxy.proxy.request import Client, RequestHead
from corsproxy.proxy.request_lines import hop_lines, request_lines
from corsproxy.proxy.words import denial

# A member is looked up by name each time that it is written with its class.
_DENIED_ORIGIN: Final = Outcome.DENIED_ORIGIN
_PREFLIGHT_ALLOWED: Final = Outcome.PREFLIGHT_ALLOWED

# Methods whose request may be sent again when the first attempt brought no answer
# (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
_IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})

# They would reflect cookies and credentials to the page.
_REFUSED_METHODS: Final = frozenset({b"TRACE", b"TRACK"})
_LONGEST_COUNT: Final = 9  # digits of Max-Forwards
_GRANTED: Final = {status: OwnAnswer(status, "") for status in range(200, 300)}
_ALLOW: Final = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"


# None of these is a named tuple: compiled, one costs ten times as much to make and to read.


class Answer:
    """The proxy's own answer: nothing is sent upstream."""

    __slots__ = ("closes", "decision", "own", "rule", "status")

    def __init__(  # a value, not a switch
        self, own: OwnAnswer, decision: Decision, rule: Rule | None = None, *, closes: bool = False
    ) -> None:
        self.own = own
        self.status = own.status
        self.decision = decision
        self.rule = rule
        self.closes = closes  # the connection's framing is in doubt


class Forward:
    """What the upstream leg needs to send the request, and to bring the answer back."""

    __slots__ = (
        "authority",
        "decision",
        "expects_continue",
        "framing",
        "host",
        "lines",
        "method",
        "rule",
        "target",
        "upgrade",
    )

    def __init__(  # noqa: PLR0913  # a record
        self,
        rule: Rule,
        decision: Decision,
        method: bytes,
        target: bytes,
        authority: bytes,
        host: bytes | None,
        framing: Framing,
        lines: bytes,
        *,
        upgrade: bytes = b"",
        expects_continue: bool = False,
    ) -> None:
        self.rule = rule
        self.decision = decision
        self.method = method
        self.target = target  # as the upstream sees it
        self.authority = authority  # what the client addressed, checked; b"" in HTTP/1.0 without Host
        self.host = host  # the Host to send; None: the endpoint's own authority
        self.framing = framing
        self.lines = lines  # every other header line, each ended by CRLF
        self.upgrade = upgrade  # b"websocket" or b""
        self.expects_continue = expects_continue

    def under(self, rule: Rule, decision: Decision) -> Forward:
        """The same, as another rule and decision would bring the answer back."""
        return self._but(rule, decision, self.target)

    def toward(self, rule: Rule, target: bytes) -> Forward:
        """The same request of another target, by a rule that treats it alike."""
        return self._but(rule, self.decision, target)

    def _but(self, rule: Rule, decision: Decision, target: bytes) -> Forward:
        return Forward(
            rule,
            decision,
            self.method,
            target,
            self.authority,
            self.host,
            self.framing,
            self.lines,
            upgrade=self.upgrade,
            expects_continue=self.expects_continue,
        )

    def head(self, authority: bytes) -> bytes:
        """The request head as bytes, for an endpoint that is addressed by ``authority``."""
        host = authority if self.host is None else self.host
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (self.method, self.target, host, self.lines)

    @property
    def repeatable(self) -> bool:
        """Whether nothing can be done twice by sending this request again."""
        return self.method in _IDEMPOTENT and self.framing is NO_BODY and not self.upgrade


class Arrived:
    """A request head, read: what was addressed, and by whom.

    ``host`` is for the look-up: lower case, no port; ``authority`` is as the client wrote it.
    """

    __slots__ = ("authority", "client", "head", "host", "target")

    def __init__(self, head: RequestHead, client: Client, target: Target, host: str, authority: bytes) -> None:
        self.head = head
        self.client = client
        self.target = target
        self.host = host
        self.authority = authority


class Verdict:
    """What came of the last header lines of a client, in full: rules that treat requests alike do the same with them.

    The path has a say in the rule and in the target for the upstream, and in nothing else.
    """

    __slots__ = ("fields", "host", "method", "planned", "rule", "table")

    def __init__(self, table: RuleTable, rule: Rule, arrived: Arrived, planned: Answer | Forward) -> None:
        self.table = table
        self.rule = rule
        self.host = arrived.host
        self.fields = arrived.head.fields
        self.method = arrived.head.method
        self.planned = planned

    def on(self, table: RuleTable, head: RequestHead, target: Target) -> Answer | Forward | None:
        """The plan for a head with an ordinary target; None where it has to be judged."""
        if self.fields is not head.fields or self.method != head.method or self.table is not table:
            return None
        rule, planned = table.find(self.host, target.key), self.planned
        if rule is None or rule.treatment is not self.rule.treatment:
            return None
        if isinstance(planned, Forward):
            return planned.toward(rule, forward_path(target, rule.strip, rule.upstream.base))
        if rule is self.rule:
            return planned
        # What is denied is told with the name of the rule.
        return None if planned.own.detail else Answer(planned.own, planned.decision, rule, closes=planned.closes)


def plan(table: RuleTable, head: RequestHead, client: Client) -> Answer | Forward:
    """Judge a request head against the table.  Never raises: what is malformed has its answer too.

    A head that repeats is judged once: nothing else has a say than the table, the head and the client.
    """
    planned = head.planned
    if planned is not None and head.table is table and head.client is client:
        return planned
    verdict, target = client.verdict, head.ordinary
    planned = verdict.on(table, head, target) if verdict is not None and target is not None else None
    planned = planned or _judge(table, head, client)
    if head.repeats:
        head.table, head.client, head.planned = table, client, planned
    return planned


def _judge(table: RuleTable, head: RequestHead, client: Client) -> Answer | Forward:
    if head.target == b"*" or head.method == b"CONNECT":
        return _about_the_proxy(head)
    try:
        arrived = _read(head, client)
        rule = _find(table, arrived)
    except MalformedRequest as error:
        return Answer(OwnAnswer(error.status, str(error)), NO_POLICY, closes=error.status == 400)
    planned = _by_rule(table, rule, arrived)
    if head.known_lines:
        client.verdict = Verdict(table, rule, arrived, planned)
    return planned


def _by_rule(table: RuleTable, rule: Rule, arrived: Arrived) -> Answer | Forward:
    decision = _decide(table, rule, arrived)
    try:
        return _refusal(table, rule, decision, arrived) or _forward(table, rule, decision, arrived)
    except MalformedRequest as error:
        return Answer(OwnAnswer(error.status, str(error)), decision, rule, closes=True)


def _about_the_proxy(head: RequestHead) -> Answer:
    """A target that is no path concerns the proxy itself, since no rule can match it."""
    if head.method == b"CONNECT":
        return Answer(OwnAnswer(405, "this proxy opens no tunnels", _ALLOW), NO_POLICY, closes=True)
    if head.method == b"OPTIONS":  # https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7-5
        return Answer(OwnAnswer(204, "", _ALLOW), NO_POLICY)
    return Answer(OwnAnswer(400, "the target * belongs to OPTIONS alone"), NO_POLICY, closes=True)


def _read(head: RequestHead, client: Client) -> Arrived:
    """Who was addressed: exactly one Host line in HTTP/1.1, none needed in HTTP/1.0.

    The authority of an absolute target takes its place (https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
    """
    target = head.ordinary or parse_target(head.target)
    addressed = head.fields.addressed
    if addressed is None:
        addressed = head.fields.addressed = _addressed(head, client)
    if target.authority is not None:
        addressed = parse_host(target.authority)
    return Arrived(head, client, target, addressed[0], addressed[1])


def _addressed(head: RequestHead, client: Client) -> tuple[str, bytes]:
    hosts, before = head.fields.all(b"host"), client.addressed
    if before is not None and hosts == (before[1],):  # nearly every request of a connection
        return before
    if len(hosts) > 1 or (not hosts and head.version != b"1.0"):
        raise MalformedRequest(400, "a request needs exactly one host line")
    if not hosts:
        return "", b""
    addressed = client.addressed = parse_host(hosts[0])
    return addressed


def _find(table: RuleTable, arrived: Arrived) -> Rule:
    """The rule that is meant; raises MalformedRequest where there is none, or two servers might see two."""
    target = arrived.target
    rule = table.find(arrived.host, target.key)
    if target.lenient != target.key and table.find(arrived.host, target.lenient) is not rule:
        raise MalformedRequest(400, "servers read this path in different ways; spell it plainly")
    if rule is not None:
        return rule
    if table.serves(arrived.host):
        raise MalformedRequest(404, f"no rule matches the path {quoted(target.path)}")
    # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20; on a loopback listener it also ends DNS rebinding.
    raise MalformedRequest(421, f"no rule serves the host {quoted(arrived.authority)}")


def _decide(table: RuleTable, rule: Rule, arrived: Arrived) -> Decision:
    """The policy's decision; the client's own Origin is judged, whatever the upstream will see."""
    policy, fields = rule.policy, arrived.head.fields
    if policy is None:
        return NO_POLICY
    origins = fields.all(b"origin")
    if arrived.head.method == b"OPTIONS" and origins and (methods := fields.all(b"access-control-request-method")):
        # https://fetch.spec.whatwg.org/#cors-preflight-request; any other OPTIONS is an ordinary request.
        private = fields.all(b"access-control-request-private-network") == (b"true",)
        origin = origins[0] if len(origins) == 1 else b""  # two Origin lines: nobody's
        return policy.judge_preflight(origin, methods, fields.all(b"access-control-request-headers"), private)
    decision = policy.judge_actual(origins)
    if decision.outcome is _DENIED_ORIGIN and _same_origin(table, arrived):
        return replace(decision, outcome=Outcome.SAME_ORIGIN, subject=b"")
    return decision


def _same_origin(table: RuleTable, arrived: Arrived) -> bool:
    """Whether the page and the API share an origin, so that its unlisted Origin is nothing to refuse.

    Sec-Fetch-Site is set by the browser and cannot be forged by a page
    (https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header); without it the origin is compared with the host that
    the client addressed, in the scheme as far as it is known.
    """
    fields, client = arrived.head.fields, arrived.client
    if fields.all(b"sec-fetch-site") == (b"same-origin",):
        return True
    scheme = table.forwarding.scheme(client.peer, client.tls, fields.forwarded)
    own = f"{scheme}://".encode() + arrived.authority.lower()
    return bool(arrived.authority) and fields.all(b"origin") == (own,)


def _refusal(table: RuleTable, rule: Rule, decision: Decision, arrived: Arrived) -> Answer | None:
    """The proxy's own answer where there is one to give, or None when the request goes on."""
    policy, outcome = rule.policy, decision.outcome
    if policy is not None and outcome is _PREFLIGHT_ALLOWED:
        return Answer(_GRANTED[policy.preflight_status], decision, rule)
    if policy is not None and decision.denied and (outcome is not _DENIED_ORIGIN or _rejects(policy, arrived)):
        return Answer(OwnAnswer(403, denial(decision, rule)), decision, rule)
    return _end_here(table, rule, decision, arrived.head)


def _end_here(table: RuleTable, rule: Rule, decision: Decision, head: RequestHead) -> Answer | None:
    """The answer to a request that no policy keeps back, and that goes no further all the same."""
    if head.version not in (b"1.0", b"1.1"):
        return Answer(OwnAnswer(505, "this proxy speaks HTTP/1.1"), decision, rule, closes=True)
    if head.method in _REFUSED_METHODS:
        return Answer(OwnAnswer(405, f"{head.method.decode()} is not forwarded", _ALLOW), decision, rule)
    if head.method == b"OPTIONS" and _last_hop(head.fields.all(b"max-forwards")):
        return Answer(OwnAnswer(204, "", _ALLOW), decision, rule)
    if head.fields.unusual and (via := head.fields.all(b"via")) and table.forwarding.loops(via):
        return Answer(OwnAnswer(508, "the request came back to this proxy; an upstream points at it"), decision, rule)
    return None


def _last_hop(max_forwards: Sequence[bytes]) -> bool:
    """Whether an OPTIONS request ends here (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2)."""
    if not max_forwards:
        return False
    if len(max_forwards) > 1 or not max_forwards[0].isdigit() or len(max_forwards[0]) > _LONGEST_COUNT:
        raise MalformedRequest(400, "an invalid max-forwards")
    return int(max_forwards[0]) == 0


def _rejects(policy: Policy, arrived: Arrived) -> bool:
    """Whether a denied actual request ends here.

    By default it is forwarded and its answer stripped, as a browser would do without a proxy.  A WebSocket handshake
    is different: no browser applies CORS to it (https://websockets.spec.whatwg.org/#opening-handshake), so what passes
    here is readable by the page.
    """
    return policy.on_denied == "reject" or bool(arrived.head.fields.upgrade())


def _forward(table: RuleTable, rule: Rule, decision: Decision, arrived: Arrived) -> Answer | Forward:
    head, fields = arrived.head, arrived.head.fields
    codings = fields.all(b"transfer-encoding") if fields.unusual else ()
    framing = request_framing(head.version, codings, fields.all(b"content-length"))
    if rule.max_request_body is not None and framing.length > rule.max_request_body:
        too_large = f"the body is larger than the {rule.max_request_body} bytes that the rule allows"
        return Answer(OwnAnswer(413, too_large, limit="max_request_body"), decision, rule, closes=True)
    lines = request_lines(table.forwarding, rule, decision, arrived.client, arrived.authority, head)
    upgrade, expects_continue = b"", False
    if fields.unusual:
        expects_continue = _expects_continue(head)
        upgrade = fields.upgrade() if head.version == b"1.1" and head.method == b"GET" else b""
        lines += hop_lines(framing, upgrade, expects_continue, fields.wants_trailers())
    return Forward(
        rule,
        decision,
        head.method,
        forward_path(arrived.target, rule.strip, rule.upstream.base),
        arrived.authority,
        arrived.authority if rule.forward_host == b"" else rule.forward_host,
        framing,
        lines,
        upgrade=upgrade,
        expects_continue=expects_continue,
    )


def _expects_continue(head: RequestHead) -> bool:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1: the one expectation there is; HTTP/1.0 cannot have it."""
    expectations = head.fields.all(b"expect")
    if not expectations or head.version == b"1.0":
        return False
    if [value.lower() for value in expectations] != [b"100-continue"]:
        raise MalformedRequest(417, "an expectation other than 100-continue")
    return True
