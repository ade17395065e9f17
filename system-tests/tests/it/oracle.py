# djangorestframework-simplejwt itself, set up the way its own documentation advises for rotation with a
# blacklist: what the tests of the wire contract compare with. The last argument is a folder for its database.
import datetime
import os
import sys

from django.conf import settings

folder = sys.argv.pop()
settings.configure(
    SECRET_KEY="only for this test, and long enough for HS256",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "django.db")}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    },
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
)
import django

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command, execute_from_command_line
from django.http import JsonResponse
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken


def expired(request):
    """Tokens that this server made, and that are over."""
    user = get_user_model().objects.get(username="alice")
    tokens = {}
    for name, kind in (("refresh", RefreshToken), ("access", AccessToken)):
        token = kind.for_user(user)
        token.set_exp(lifetime=-datetime.timedelta(seconds=30))
        tokens[name] = str(token)
    return JsonResponse(tokens)


def deactivate(request, username):
    get_user_model().objects.filter(username=username).update(is_active=False)
    return JsonResponse({})


@api_view()
@authentication_classes([JWTStatelessUserAuthentication])
@permission_classes([IsAuthenticated])
def whoami(request):
    return Response({"user": "somebody"})


urlpatterns = [
    path("whoami/", whoami),
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("for-the-test/expired/", expired),
    path("for-the-test/deactivate/<username>/", deactivate),
]

call_command("migrate", verbosity=0)
for username in ("alice", "leaver", "inactive"):
    get_user_model().objects.create_user(username, password="correct horse battery staple")
deactivate(None, "inactive")
execute_from_command_line(sys.argv)
