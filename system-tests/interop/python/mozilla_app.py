"""A Django project with mozilla-django-oidc: mozilla_app.py ISSUER CLIENT_ID CLIENT_SECRET PORT"""
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse

issuer, client_id, client_secret, port = sys.argv[1:5]
settings.configure(
    ALLOWED_HOSTS=["localhost"],
    SECRET_KEY="a secret of this application alone",
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "mozilla.db"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "mozilla_django_oidc"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    LOGIN_REDIRECT_URL="/",
    LOGOUT_REDIRECT_URL="/",
    OIDC_RP_CLIENT_ID=client_id,
    OIDC_RP_CLIENT_SECRET=client_secret,
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_USE_PKCE=True,
    OIDC_OP_AUTHORIZATION_ENDPOINT=f"{issuer}/oauth2/authorize",
    OIDC_OP_TOKEN_ENDPOINT=f"{issuer}/oauth2/token",
    OIDC_OP_USER_ENDPOINT=f"{issuer}/oauth2/userinfo",
    OIDC_OP_JWKS_ENDPOINT=f"{issuer}/.well-known/jwks.json",
)
django.setup()

from django.urls import include, path  # noqa: E402 - needs the settings


def home(request):
    who = request.user.email if request.user.is_authenticated else "nobody"
    return HttpResponse(f'<!doctype html><title>mozilla-django-oidc</title><p id="who">{who}</p>'
                        '<form method="post" action="/oidc/logout/"><button id="out">out</button></form>')


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("", home)]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("runserver", f"localhost:{port}", use_reloader=False)
