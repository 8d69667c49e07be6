"""A Django site with sessions and CSRF protection, as its tutorial has it, and the same with django-cors-headers.

Django is configured once in a process: tests ask for the fixture ``django_ready``, which calls ``configure``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.contrib import auth
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.middleware.csrf import get_token
from django.test.utils import override_settings
from django.urls import path

from tests.apps.serving import wsgi

NAME: Final = "ada"
PASSWORD: Final = "lovelace"  # noqa: S105  # of a user in a data base that lives as long as the tests
MIDDLEWARE: Final = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


def configure(folder: Path) -> None:
    """Set Django up with a data base in that folder, and with one user."""
    settings.configure(
        SECRET_KEY="only for tests",  # noqa: S106
        ALLOWED_HOSTS=["127.0.0.1", "api.example.com"],  # its own, and the name under which pages know it
        ROOT_URLCONF=__name__,
        MIDDLEWARE=MIDDLEWARE,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.sqlite3"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # the fastest
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    auth.get_user_model().objects.create_user(NAME, password=PASSWORD)
    connection.close()


@contextlib.contextmanager
def site(**changes: Any) -> Iterator[str]:
    """The URL of the site, with some settings changed."""
    with override_settings(**changes), wsgi(get_wsgi_application()) as url:
        yield url


def log_in(request: HttpRequest) -> HttpResponse:
    """GET hands out the token; POST logs in."""
    if request.method != "POST":
        return JsonResponse({"token": get_token(request)})
    user = auth.authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponseForbidden("who are you?")
    auth.login(request, user)
    return JsonResponse({"token": get_token(request)})  # a log-in changes it


def log_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse("bye")


def notes(request: HttpRequest) -> HttpResponse:
    """Keeps what is posted in the session, for users only."""
    if not request.user.is_authenticated:
        return HttpResponse("log in first", status=401)
    if request.method == "POST":
        request.session["notes"] = [*request.session.get("notes", []), request.body.decode()]
    return JsonResponse({"user": request.user.get_username(), "notes": request.session.get("notes", [])})


def data(request: HttpRequest) -> HttpResponse:
    """An API of no consequence, which needs no protection."""
    return JsonResponse({"method": request.method}, headers={"X-Total-Count": "3"})


data.csrf_exempt = True  # type: ignore[attr-defined]  # what the decorator does
urlpatterns = [path("login", log_in), path("logout", log_out), path("notes", notes), path("data", data)]
