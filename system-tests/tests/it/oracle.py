# djangorestframework-simplejwt itself, set up the way its own documentation advises for rotation with a
# blacklist: what the tests of the wire contract compare with. The last arguments are a folder for its database, and
# whether refresh tokens are rotated.
import datetime
import os
import sys
import uuid

from django.conf import settings

rotate = sys.argv.pop() == "rotate"
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
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": rotate, "BLACKLIST_AFTER_ROTATION": rotate},
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
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
import jwt


def expired(request):
    """Tokens that this server made, and that are over."""
    user = get_user_model().objects.get(username="alice")
    tokens = {}
    for name, kind in (("refresh", RefreshToken), ("access", AccessToken)):
        token = kind.for_user(user)
        token.set_exp(lifetime=-datetime.timedelta(seconds=30))
        tokens[name] = str(token)
    return JsonResponse(tokens)


def crafted(request):
    """Tokens under this server's key with something amiss, and good ones of kinds that no endpoint here hands out."""
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp())

    def token(key=settings.SECRET_KEY, kind="refresh", **claims):
        base = {"token_type": kind, "exp": now + 600, "iat": now, "jti": uuid.uuid4().hex, "user_id": "1"}
        claims = {name: value for name, value in {**base, **claims}.items() if value is not None}
        return jwt.encode(claims, key, algorithm="HS256")

    return JsonResponse({
        "good": token(),
        "integer_user": token(user_id=1),
        "no_exp": token(exp=None),
        "no_jti": token(jti=None),
        "no_type": token(token_type=None),
        "no_user": token(user_id=None),
        "unknown_user": token(user_id="4711"),
        "another_type": token(kind="something"),
        "an_access": token(kind="access"),
        "text_exp": token(exp="soon"),
        "past": token(exp=now - 1),
        "another_key": token(key="another key that is long enough for HS256"),
        "sliding": token(kind="sliding", refresh_exp=now + 600),
        "sliding_over": token(kind="sliding", refresh_exp=now - 1),
        "sliding_past": token(kind="sliding", exp=now - 1, refresh_exp=now + 600),
    })


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
    path("api/token/sliding/", views.TokenObtainSlidingView.as_view()),
    path("api/token/sliding/refresh/", views.TokenRefreshSlidingView.as_view()),
    path("for-the-test/expired/", expired),
    path("for-the-test/crafted/", crafted),
    path("for-the-test/deactivate/<username>/", deactivate),
]

call_command("migrate", verbosity=0)
for username in ("alice", "leaver", "inactive"):
    get_user_model().objects.create_user(username, password="correct horse battery staple")
deactivate(None, "inactive")
execute_from_command_line(sys.argv)
