#!/usr/bin/env python3
"""Prepares the move of a Django project to Signet: writes Signet's settings, takes the old key along, imports the users.

Run it in the folder of manage.py, with the Python of the project and `auth-service` in the path:

    python prepare.py --folder ../signet --issuer https://auth.example.com --audience shop --scope "orders:read" --rehearse

Everything is kept in the folder, which must be outside the checkout: settings (signet.toml), the old key (legacy.key), database and
master key. The dump of the users is deleted at the end. A repeated run imports what has changed since, and leaves settings that are
there as they are. `--rehearse` writes no user.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

# What is asked of the project, by its own manage.py: one line of JSON.
QUESTION = """
import datetime, json
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.settings import api_settings as jwt
user = get_user_model()
given = {**getattr(settings, "SIMPLE_JWT", {}), **{name: getattr(settings, name) for name in dir(settings) if name.startswith("CORS_")}}
longest = max(jwt.REFRESH_TOKEN_LIFETIME, jwt.SLIDING_TOKEN_REFRESH_LIFETIME)
print(json.dumps({
    "settings": given,
    "key": jwt.SIGNING_KEY if jwt.ALGORITHM.startswith("HS") else jwt.VERIFYING_KEY,
    "longest_seconds": longest.total_seconds(),
    "user_model": user._meta.label_lower,
    "username": user.USERNAME_FIELD,
    "apps": [label for label in ("contenttypes", "auth", user._meta.app_label, "token_blacklist") if apps.is_installed(label) or label in apps.app_configs],
}, default=lambda value: value.decode() if isinstance(value, bytes) else str(value)))
"""


def fail(text):
    sys.exit(f"prepare.py: {text}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where Signet's files are kept, outside the checkout")
    parser.add_argument("--issuer", required=True, help="URL under which clients and services reach Signet")
    parser.add_argument("--audience", help="aud of the tokens: a name of your services")
    parser.add_argument("--scope", help="scope of the tokens, separated by spaces")
    parser.add_argument("--trusted-proxies", default="", help="addresses of the proxies in front, separated by commas")
    parser.add_argument("--database-url-file", type=pathlib.Path, help="file with a postgres:// URL; SQLite in the folder without")
    parser.add_argument("--rehearse", action="store_true", help="import nothing, and print what would be imported")
    given = parser.parse_args()
    for name, question in (("audience", "Audience of the tokens, such as shop: "), ("scope", "Scope of the tokens, such as orders:read: ")):
        if getattr(given, name) is None:
            if not sys.stdin.isatty():
                fail(f"--{name} is missing")
            setattr(given, name, input(question).strip())
    return given


def ask_project():
    if not pathlib.Path("manage.py").is_file():
        fail("no manage.py here: run it in the folder of the project")
    asked = subprocess.run([sys.executable, "manage.py", "shell", "-v", "0", "-c", QUESTION], capture_output=True, text=True)
    if asked.returncode != 0:
        fail(f"the project cannot be asked:\n{asked.stderr.strip()}")
    return json.loads(asked.stdout.strip().splitlines()[-1])


def outside_checkout(folder):
    """The folder, absolute. A checkout is the project's folder, and the repository around it."""
    folder = folder.resolve()
    roots = [pathlib.Path.cwd().resolve()]
    found = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True) if has_git() else None
    if found and found.returncode == 0:
        roots.append(pathlib.Path(found.stdout.strip()).resolve())
    if any(folder == root or root in folder.parents for root in roots):
        fail(f"{folder} is inside the checkout: keys and users must not be committed; choose another --folder")
    return folder


def has_git():
    return any(os.access(os.path.join(path, "git"), os.X_OK) for path in os.environ.get("PATH", "").split(os.pathsep))


def convert(settings):
    asked = subprocess.run(["auth-service", "--json", "import", "django-settings", "-"], input=json.dumps(settings),
                           capture_output=True, text=True)
    if asked.returncode not in (0, 1) or not asked.stdout:
        fail(f"auth-service: {asked.stderr.strip()}")
    return json.loads(asked.stdout)


def write_settings(path, given, project):
    converted = convert(project["settings"])
    sections = {name: dict(values) for name, values in converted["settings"].items()}
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=project["longest_seconds"], days=7)
    folder = path.parent
    simplejwt = sections.setdefault("simplejwt", {})
    simplejwt.update(audience=quoted(given.audience), scope=quoted(given.scope),
                     legacy_until=quoted(until.strftime("%Y-%m-%dT%H:%M:%SZ")), legacy_key_file=quoted(folder / "legacy.key"))
    if project["username"] != "username":
        simplejwt["username_field"] = quoted(project["username"])
    django = sections.setdefault("django", {})
    django.update(user_model=quoted(project["user_model"]), username=quoted(project["username"]))
    sections["keys"] = {**sections.get("keys", {}), "master_key_file": quoted(folder / "master.key")}
    sections["database"] = ({"url_file": quoted(given.database_url_file.resolve())} if given.database_url_file
                            else {"url": quoted(f"sqlite://{folder / 'signet.db'}")})
    lines = ["# Made by prepare.py; give it to auth-service by --config.", f"issuer = {quoted(given.issuer)}"]
    if given.trusted_proxies:
        lines.append(f"trusted_proxies = {quoted(given.trusted_proxies)}")
    for section, values in sorted(sections.items()):
        lines += ["", f"[{section}]", *(f"{key} = {value}" for key, value in sorted(values.items()))]
    for title, name in (("To know", "notes"), ("Without a counterpart", "without_counterpart"), ("Wrong, and left out", "wrong")):
        if converted[name]:
            lines += ["", f"# {title}:", *(f"# - {entry['name']}: {entry['text']}" for entry in converted[name])]
    path.write_text("\n".join(lines) + "\n")


def extend_exchange(path, project):
    """A refresh token that simplejwt issues now must be exchanged until it expires, however long ago the rehearsal was."""
    text = path.read_text()
    found = re.search(r'^legacy_until = "([^"]+)"$', text, re.M)
    last = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=project["longest_seconds"])
    if found and datetime.datetime.fromisoformat(found[1].replace("Z", "+00:00")) < last:
        until = (last + datetime.timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
        path.write_text(text.replace(found[0], f'legacy_until = "{until}"'))
        print(f"but legacy_until was too early, and is {until} now", flush=True)


def quoted(value):
    return json.dumps(str(value))


def import_users(given, folder, project):
    dump = folder / "django.json"
    try:
        dumped = subprocess.run([sys.executable, "manage.py", "dumpdata", *project["apps"], "--output", str(dump)])
        if dumped.returncode != 0:
            fail("manage.py dumpdata failed")
        command = ["auth-service", "--config", str(folder / "signet.toml"), "import", "django", str(dump)]
        return subprocess.run(command + (["--dry-run"] if given.rehearse else [])).returncode
    finally:
        # It holds the hashes of all passwords.
        dump.unlink(missing_ok=True)


def main():
    given = arguments()
    os.umask(0o077)
    folder = outside_checkout(given.folder)
    project = ask_project()
    folder.mkdir(mode=0o700, exist_ok=True)
    settings = folder / "signet.toml"
    if settings.exists():
        print(f"{settings} is kept as it is", flush=True)
        extend_exchange(settings, project)
    else:
        write_settings(settings, given, project)
        print(f"wrote {settings}: read it, and what it says at its end", flush=True)
    key = folder / "legacy.key"
    if project["key"] and (not key.exists() or key.read_text().rstrip("\n") != project["key"].rstrip("\n")):
        key.write_text(project["key"].rstrip("\n") + "\n")
        print(f"wrote {key}: remove it after legacy_until", flush=True)
    code = import_users(given, folder, project)
    if code == 0:
        again = "run it again without --rehearse" if given.rehearse else f"start it: auth-service --config {settings}"
        print(f"done; {again}", flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
