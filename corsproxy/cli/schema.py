"""``corsproxy schema``: the JSON Schema of configuration files."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--tests", is_flag=True, help="Of a file of tests, as `corsproxy check --tests` reads it.")
def schema(tests: bool) -> None:  # click passes a flag so
    """Print the JSON Schema of configuration files.

    Editors complete and check the keys with it: save it beside the configuration and name it in the first line there,
    as config.example.yaml does.  What a schema cannot say, `corsproxy check` does.

    \b
        corsproxy schema > corsproxy.schema.json
        # yaml-language-server: $schema=corsproxy.schema.json
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.config.schema import json_schema, json_schema_of_tests  # noqa: PLC0415  # --help does not need it

    click.echo(json.dumps(json_schema_of_tests() if tests else json_schema(), indent=2))
