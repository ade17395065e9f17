"""A service that calls another over gRPC: `python grpc_caller.py https://auth.example.com billing SECRET-FILE notes.example.com:9095`.

Needs what grpc_verifier.py needs. The channel of a real service is encrypted: `grpc.secure_channel`.
"""
import sys

import grpc
from signet.notes.v1 import notes_service_pb2 as messages
from signet.notes.v1 import notes_service_pb2_grpc as service
from signet_client import TokenSource

if __name__ == "__main__":
    authority, client_id, secret_file, address = sys.argv[1:]
    with open(secret_file, encoding="utf-8") as file:
        tokens = TokenSource(authority, client_id, file.read().strip())
    with grpc.insecure_channel(address) as channel:
        notes = service.NotesServiceStub(channel)
        for _ in range(2):
            answer = notes.ListNotes(messages.ListNotesRequest(), metadata=[("authorization", tokens.header())], timeout=5)
            print(*(note.text for note in answer.notes))
