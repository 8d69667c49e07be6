"""The pools of all upstreams, made on first use and carried over to the next table where an upstream stays what it is.

A pool is found by the identity of its upstream, which costs a request nothing; equality is asked once per reload.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import fields

from corsproxy.config.table import RuleTable, Upstream, UpstreamTls
from corsproxy.errors import UnusableCertificate
from corsproxy.proxy.pool import Pool


class PreparedPools:
    """The pools of a table that is not in force yet."""

    def __init__(self) -> None:
        self.pools: dict[Upstream, Pool | None] = {}
        self.new: list[Pool] = []

    def discard(self) -> None:
        """The table does not come in force."""
        for pool in self.new:
            pool.close()


class Pools:
    """Every pool of one process."""

    def __init__(self) -> None:
        self._pools: dict[Upstream, Pool | None] = {}  # of each upstream of the table in force; None until it is used

    @property
    def in_use(self) -> Mapping[Upstream, Pool]:
        """Those of the table in force that a request, or a health check, has needed."""
        return {upstream: pool for upstream, pool in self._pools.items() if pool is not None}

    def of(self, upstream: Upstream) -> Pool:
        """The pool of an upstream of the table that is in force, or was when the request came."""
        return self._pools.get(upstream) or self._make(upstream)

    def prepare(self, table: RuleTable, renewed: Container[str] = ()) -> PreparedPools:
        """The pools for a new table: those of upstreams that it keeps, and new ones where a file is needed.

        ``renewed`` are files that hold something else than before; whoever uses them begins anew.  What is wrong with
        a file is known before a request needs it.  Health checks begin here, too.  Raises UnusableCertificate.
        """
        prepared = PreparedPools()
        try:
            for upstream in dict.fromkeys(rule.upstream for rule in table.rules):
                pool = None if _uses(upstream.tls, renewed) else self._kept(upstream)
                if pool is None and (upstream.tls.ca or upstream.tls.cert or upstream.health_check):
                    pool = _new(upstream)
                    prepared.new.append(pool)
                prepared.pools[upstream] = pool
        except UnusableCertificate:
            prepared.discard()
            raise
        return prepared

    def replace(self, prepared: PreparedPools) -> None:
        """Put prepared pools in force; the others end with their last exchange."""
        kept = set(prepared.pools.values())
        for pool in self._pools.values():
            if pool is not None and pool not in kept:
                pool.retire()
        self._pools = prepared.pools

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            if pool is not None:
                pool.close()

    def _make(self, upstream: Upstream) -> Pool:
        if upstream in self._pools:
            pool = self._pools[upstream] = Pool(upstream)
            return pool
        # A request under an earlier table needs one more connection: from the same upstream's pool if there is one,
        # and else from one that is kept by nobody but this request.
        kept = self._kept(upstream)
        if kept is None:
            kept = Pool(upstream)
            kept.retire()
        return kept

    def _kept(self, upstream: Upstream) -> Pool | None:
        return next((pool for old, pool in self._pools.items() if _same(old, upstream)), None)


def _new(upstream: Upstream) -> Pool:
    try:
        return Pool(upstream)
    except UnusableCertificate as unusable:
        raise UnusableCertificate(
            f"the upstream {upstream.name}: {unusable}; name PEM files, and a key without a passphrase"
        ) from unusable


def _same(old: Upstream, new: Upstream) -> bool:
    return all(getattr(old, field.name) == getattr(new, field.name) for field in fields(Upstream))


def _uses(tls: UpstreamTls, files: Container[str]) -> bool:
    return any(file in files for file in (tls.ca, tls.cert, tls.key) if file)
