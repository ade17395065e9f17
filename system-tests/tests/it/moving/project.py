# A Django project on djangorestframework-simplejwt, as somebody may have it who moves to Signet: its accounts, its
# tokens, its API. The first argument is a JSON file with what differs from test to test; the rest is for manage.py,
# with two commands more: `seed COUNT` makes accounts, `tokens NAME...` prints a pair for each as JSON.
import json
import sys

from django.conf import settings

config = json.load(open(sys.argv.pop(1)))
custom = config.get("custom_user_model", False)
if config["database"]["ENGINE"].endswith("mysql"):
    import pymysql

    pymysql.install_as_MySQLdb()
settings.configure(
    SECRET_KEY=config.get("secret_key", "only for this test, and long enough for HS256"),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=config.get("use_tz", True),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": config["database"]},
    AUTH_USER_MODEL=config.get("user_model", "people.Person" if custom else "auth.User"),
    PASSWORD_HASHERS=[
        f"django.contrib.auth.hashers.{name}PasswordHasher"
        for name in ("PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5")
    ],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
        *(["people"] if custom or "models" in config else []),
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            config.get("authentication", "rest_framework_simplejwt.authentication.JWTAuthentication")
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    SIMPLE_JWT=eval(config.get("simple_jwt", "{}"), {"timedelta": __import__("datetime").timedelta}),
)
import django

django.setup()

from django.apps import apps
from django.contrib.auth import get_user_model, hashers
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command, execute_from_command_line
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework_simplejwt import views
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken

PASSWORD = "correct horse battery staple"


def encoded(scheme, cost):
    """A hash as a version of Django wrote it. What this one does not know any more is put together by hand."""
    import hashlib

    octets = PASSWORD.encode()
    match scheme:
        case "pbkdf2_sha256":
            return hashers.PBKDF2PasswordHasher().encode(PASSWORD, "pepperandsalt", cost)
        case "pbkdf2_sha1":
            return hashers.PBKDF2SHA1PasswordHasher().encode(PASSWORD, "pepperandsalt", cost)
        case "argon2i" | "argon2id":
            from argon2.low_level import Type, hash_secret

            kind = Type.I if scheme == "argon2i" else Type.ID
            salt = b"pepperandsalt"
            return "argon2" + hash_secret(octets, salt, cost, 512 if kind is Type.I else 8192, 2, 16, kind).decode()
        case "bcrypt" | "bcrypt_sha256":
            import bcrypt

            secret = hashlib.sha256(octets).hexdigest().encode() if scheme == "bcrypt_sha256" else octets
            return f"{scheme}$" + bcrypt.hashpw(secret, bcrypt.gensalt(cost)).decode()
        case "scrypt":
            return hashers.ScryptPasswordHasher().encode(PASSWORD, "pepperandsalt", cost)
        case "sha1":
            return "sha1$salt$" + hashlib.sha1(b"salt" + octets).hexdigest()
        case "md5":
            return "md5$salt$" + hashlib.md5(b"salt" + octets).hexdigest()
        case "unsalted_sha1":
            return "sha1$$" + hashlib.sha1(octets).hexdigest()
        case "unsalted_md5":
            return hashlib.md5(octets).hexdigest()
        case "unusable":
            return hashers.make_password(None)
        case "crypt":
            return "crypt$$ab0123456789ab"


def create(file):
    """Users of a JSON file: the fields of each, and how its password is hashed."""
    if "models" in config:
        call_command("makemigrations", "people", verbosity=0)
    call_command("migrate", verbosity=0)
    User = get_user_model()
    if config.get("model"):
        User = apps.get_model(config["model"])
    for row in json.load(open(file)):
        User(**row["fields"], password=encoded(*row["hash"])).save()


def cheap_hashes():
    """A hash of every format, with costs that leave a test in the minute that it has."""
    cheap = {
        "PBKDF2": {"iterations": 20_000},
        "PBKDF2SHA1": {"iterations": 20_000},
        "Argon2": {"memory_cost": 8192, "parallelism": 2},
        "BCryptSHA256": {"rounds": 5},
        "BCrypt": {"rounds": 5},
        "Scrypt": {},
        "MD5": {},
    }
    for name, cost in cheap.items():
        hasher = type(name, (getattr(hashers, f"{name}PasswordHasher"),), cost)()
        yield hasher.algorithm, hasher.encode(PASSWORD, hasher.salt())


def seed(count):
    """`count` accounts over all formats, `FORMAT-NUMBER`, and some of which something is odd."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    User = get_user_model()
    if custom:
        rows = list(cheap_hashes())
        User.objects.bulk_create(
            User(address=f"{rows[n % 7][0]}-{n}@example.org", password=rows[n % 7][1], chief=n % 10 == 0, tenant=n)
            for n in range(count)
        )
        return
    hashes = list(cheap_hashes())
    User.objects.bulk_create(
        (
            User(username=f"{hashes[n % 7][0]}-{n}", password=hashes[n % 7][1], email=f"u{n}@example.org", is_staff=n % 10 == 0)
            for n in range(count)
        ),
        batch_size=1000,
    )
    if config.get("odd", True):
        editors = Group.objects.create(name="Editors")
        editors.permissions.add(Permission.objects.get(codename="add_group"))
        person = User.objects.create(username="editor", password=hashes[0][1], is_superuser=True)
        person.groups.add(editors)
        person.user_permissions.add(Permission.objects.get(codename="view_user"))
        User.objects.create(username="nobody", password=hashers.make_password(None))
        User.objects.create(username="gone", password=hashes[0][1], is_active=False)
        User.objects.create(username="alien", password="crypt$abc")
        User.objects.create(username="Twin", password=hashes[0][1])
        User.objects.create(username="TWIN", password=hashes[0][1])


def tokens(*names):
    """A pair for each, made as simplejwt makes them, without a password."""
    pairs = {}
    for name in names:
        user = get_user_model().objects.get_by_natural_key(name)
        refresh = RefreshToken.for_user(user)
        pairs[name] = {
            "refresh": str(refresh),
            "access": str(refresh.access_token),
            "sliding": str(SlidingToken.for_user(user)),
        }
    print(json.dumps(pairs))


def change(name, **fields):
    User = get_user_model()
    User.objects.filter(**{User.USERNAME_FIELD: name}).update(**fields)


@api_view()
def whoami(request):
    user = request.user
    return Response({"id": user.id, "username": user.username, "is_staff": user.is_staff})


urlpatterns = [
    path("whoami/", whoami),
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("api/token/sliding/", views.TokenObtainSlidingView.as_view()),
    path("api/token/sliding/refresh/", views.TokenRefreshSlidingView.as_view()),
]

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["seed", count]:
            seed(int(count))
        case ["create", file]:
            create(file)
        case ["tokens", *names]:
            tokens(*names)
        case ["blacklist", token]:
            RefreshToken(token).blacklist()
        case ["change", name, fields]:
            change(name, **json.loads(fields))
        case ["password", name, password]:
            change(name, password=hashers.PBKDF2PasswordHasher().encode(password, "salt", 20_000))
        case ["add_new_group", name, group]:
            get_user_model().objects.get_by_natural_key(name).groups.add(Group.objects.create(name=group))
        case ["remove_group", name, group]:
            get_user_model().objects.get_by_natural_key(name).groups.remove(Group.objects.get(name=group))
        case ["add_group", name, group]:
            get_user_model().objects.get_by_natural_key(name).groups.add(Group.objects.get(name=group))
        case _:
            execute_from_command_line(sys.argv)
