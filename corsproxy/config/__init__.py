"""Configuration: YAML text -> Config -> RuleTable, without files, environment, clock or sockets.

load.py            the way in: a text, or a Config made of flags -> Compiled, or every problem at once

document.py        1. YAML text -> nodes that know their line and column
  syntax.py           a YAML error in words
  scalars.py          what a plain scalar means (YAML 1.2)
  environment.py      ${NAME} and ${NAME:-default}
  written.py          a node: what was written, and where

validate.py        2. nodes -> Config, every mismatch reported and taken out
  model.py            Config: what may be written, key by key; section.py: what its mappings are
  tests_model.py      the same of tests, which may stand in a file of their own
  kinds.py            the kinds of values: durations, sizes, texts or lists of them
  quantities.py       durations and sizes
  wording.py          a mismatch in words
  sections.py         which keys belong where

findings.py        3. Config -> RuleTable: where problems are collected
  listeners.py, upstreams.py, policies.py, rules.py, edits.py
                      one part each
  addresses.py, hosts.py, paths.py, names.py
                      what people write in them
  tests.py            tests of the table: what pages ask for
  precedence.py       which rule wins, and which is never reached
  table.py            RuleTable: what requests read

schema.py          the JSON Schema of Config, for editors; examples.py: what they offer to write
"""
