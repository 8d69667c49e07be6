"""What is set up once for all tests with real applications."""

from __future__ import annotations

import pytest

from tests.apps import django_site


@pytest.fixture(scope="session")
def django_ready(tmp_path_factory):
    """Django, configured, with its data base: it can be done once in a process."""
    django_site.configure(tmp_path_factory.mktemp("django"))
