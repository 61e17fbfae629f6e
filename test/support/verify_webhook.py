"""Receiver in Python, using only the standard library, that verifies a Standard Webhooks signature.

Reads {"secret", "headers", "body" (base64)} as JSON. Exits with 0 if a signature is valid, and with 1 otherwise.
"""
import base64
import hashlib
import hmac
import json
import sys
import time

call = json.load(sys.stdin)
headers = call["headers"]
key = base64.b64decode(call["secret"].removeprefix("whsec_"))
if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
    sys.exit("too old")
signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + base64.b64decode(call["body"])
expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
for signature in headers["webhook-signature"].split():
    version, _, value = signature.partition(",")
    if version == "v1" and hmac.compare_digest(value, expected):
        sys.exit(0)
sys.exit("no signature is right")
