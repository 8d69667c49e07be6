"""corsproxy: a reverse proxy that adds CORS to APIs which lack it.

The house, from the ground up; a file may import from its own folder and from what stands above it here:

    errors.py   the exception tree
    cors/       the engine, pure: origins and patterns, the compiled policy, the decision as a value,
                the browser's side of the protocol and the words that explain it
    http/       HTTP semantics, pure: fields, targets, forwarding, rewriting of Location and Set-Cookie
    config/     YAML text -> Config (what was written, with line and column) -> RuleTable (what requests read), pure
    proxy/      the data plane: plan, connect, send, relay, record
    server/     the process: listeners, TLS, drain, health
    conformance/  what CORS obliges any server to, as vectors, and a runner
    demo/       a legacy API, a page and the proxy between them
    cli/        one file per command; flags build the same Config as YAML does

A request enters at proxy/listener.py, is judged by proxy/plan.py, led by proxy/walk.py, and comes back through
proxy/relay.py; docs/design.md follows it step by step.
"""

__version__ = "0.1.0"
