"""A Django project with django-allauth: allauth_app.py ISSUER CLIENT_ID CLIENT_SECRET PORT"""
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
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "allauth.db"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    LOGIN_REDIRECT_URL="/",
    ACCOUNT_LOGOUT_REDIRECT_URL="/",
    SOCIALACCOUNT_PROVIDERS={
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "signet",
                    "name": "Signet",
                    "client_id": client_id,
                    "secret": client_secret,
                    "settings": {"server_url": issuer},
                }
            ],
        }
    },
)
django.setup()

from django.urls import include, path  # noqa: E402 - needs the settings


def home(request):
    who = request.user.get_full_name() if request.user.is_authenticated else "nobody"
    return HttpResponse(f'<!doctype html><title>django-allauth</title><p id="who">{who}</p>')


urlpatterns = [path("accounts/", include("allauth.urls")), path("", home)]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("runserver", f"localhost:{port}", use_reloader=False)
