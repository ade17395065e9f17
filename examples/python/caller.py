"""A service that calls another: `python caller.py https://auth.example.com billing SECRET-FILE https://orders.example.com/orders`.

Needs the package of clients/python. One token serves all calls; it is renewed once four fifths of its life have passed.
"""
import sys
import urllib.request

from signet_client import TokenSource

if __name__ == "__main__":
    authority, client_id, secret_file, url = sys.argv[1:]
    with open(secret_file, encoding="utf-8") as file:
        tokens = TokenSource(authority, client_id, file.read().strip())
    for _ in range(2):
        request = urllib.request.Request(url, headers={"Authorization": tokens.header()})
        with urllib.request.urlopen(request, timeout=5) as answer:
            print(answer.read().decode())
