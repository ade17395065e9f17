"""Answers every question for a name with NXDOMAIN."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("192.0.2.53", 53))
while True:
    question, caller = server.recvfrom(4096)
    if len(question) > 12:
        flags = bytes([0x80 | (question[2] & 1), 0x83])
        server.sendto(question[:2] + flags + question[4:6] + bytes(6) + question[12:], caller)
