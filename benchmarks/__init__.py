"""The peers and this project, side by side, in one run: ``scripts/bench``.

rule.py        the CORS rule that everybody gets, and the requests that are sent
site.py        what a proxy is started for: ports, workers, how many rules; templates filled in
peers.py       every proxy: its command and what it cannot do; its configuration stands in configs/ and node/
machine.py     cores, ports, CPU time and memory of processes
processes.py   starting, pinning and ending them
upstream.py    the upstream for what nginx cannot serve: uploads, event streams, WebSockets
check.py       whether a proxy answers rightly, before and under load
load/, wrk/    the load generators
cases.py       what is measured; measure.py measures it once; session.py, everything, in turn
statistics.py  medians, spreads, ratios; bars.py, the promises; report.py, plots.py, pages.py, what people read
gate.py        instruction counts of the hot path, held against a committed baseline
"""
