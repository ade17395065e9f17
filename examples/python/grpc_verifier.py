"""A resource service over gRPC: `python grpc_verifier.py https://auth.example.com notes 127.0.0.1:9095`.

Needs the package of clients/python, grpcio, and the code that grpcio-tools generates:

    python -m grpc_tools.protoc -I proto/notes --python_out=. --grpc_python_out=. signet/notes/v1/notes_service.proto
"""
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from signet.notes.v1 import notes_service_pb2 as messages
from signet.notes.v1 import notes_service_pb2_grpc as service
from signet_client import Authority, Refused, Verifier

CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED,
         403: grpc.StatusCode.PERMISSION_DENIED, 503: grpc.StatusCode.UNAVAILABLE}


class Notes(service.NotesServiceServicer):
    def __init__(self, verifier):
        self.verifier = verifier

    def caller(self, context, scope):
        """The claims of who calls, or the end of the call."""
        headers = [value for name, value in context.invocation_metadata() if name == "authorization"]
        try:
            return self.verifier.claims(", ".join(headers), scope=scope)
        except Refused as refused:
            context.abort(CODES[refused.status], refused.error or "a bearer token is required")

    def ListNotes(self, request, context):
        claims = self.caller(context, "notes:read")
        return messages.ListNotesResponse(notes=[messages.Note(id="1", text=f"of {claims['sub']}")])


if __name__ == "__main__":
    issuer, audience, address = sys.argv[1:]
    server = grpc.server(ThreadPoolExecutor(8))
    service.add_NotesServiceServicer_to_server(Notes(Verifier(Authority(issuer), audience)), server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()
