"""A command-line tool that logs its user in on another device (RFC 8628), with Python alone:

    python3 device_login.py ISSUER CLIENT_ID

Register it: auth-service client create cli --public --grant urn:ietf:params:oauth:grant-type:device_code --scope "openid profile"
"""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def post(url, **form):
    """Status and body; an OAuth error is an answer, too."""
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def log_in(issuer, client_id):
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=10) as answer:
        metadata = json.load(answer)
    status, codes = post(metadata["device_authorization_endpoint"], client_id=client_id)
    if status != 200:
        sys.exit(f"{codes['error']}: {codes['error_description']}")
    print(f"Open {codes['verification_uri']} and enter {codes['user_code']}", flush=True)
    interval = codes["interval"]
    while True:
        time.sleep(interval)
        form = {"grant_type": GRANT, "client_id": client_id, "device_code": codes["device_code"]}
        status, answer = post(metadata["token_endpoint"], **form)
        if status == 200:
            return metadata, answer
        if answer["error"] == "slow_down":
            interval += 5
        elif answer["error"] != "authorization_pending":
            sys.exit(f"{answer['error']}: {answer['error_description']}")


if __name__ == "__main__":
    found, tokens = log_in(*sys.argv[1:3])
    userinfo = urllib.request.Request(
        found["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    with urllib.request.urlopen(userinfo, timeout=10) as answer:
        print(f"signed in as {json.load(answer)['preferred_username']}", flush=True)
