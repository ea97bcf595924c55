#!/usr/bin/env python3
"""A client of Konnect's audit logs, written from what Kong published and from nothing else.

It lists the Dev Portals, makes a destination, points webhooks there, replays the last day in all three line formats, receives
the deliveries and verifies every signature, reads the status, pulls the organisation's events, and takes everything away
again. It fails at the first thing that is not as documented. The only thing that it knows of the emulator is its base URL.

    client.py BASE_URL TOKEN        the base URL of one region, such as https://eu.api.konghq.com
"""

import base64
import datetime
import gzip
import http.server
import json
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SECRET = "Bearer siem-secret"
PROBLEM = "application/problem+json"


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


# Konnect -------------------------------------------------------------------------------------------------------------------


class Konnect:
    def __init__(self, base, token):
        self.base, self.token = base, token

    def call(self, method, path, body=None, token=None):
        """Status, content type and decoded body of an answer; no status is an error here."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {token or self.token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read().decode()
        kind = (answer.headers.get("Content-Type") or "").split(";")[0]
        return answer.status, kind, json.loads(text) if text else None

    def expect(self, status, method, path, body=None):
        got, kind, answer = self.call(method, path, body)
        check(got == status, f"{method} {path}: {got} where {status} is due: {answer}")
        if status >= 400:
            check(kind == PROBLEM, f"{method} {path}: an error as {kind}")
            check({"status", "title", "instance", "detail"} <= answer.keys(), f"{method} {path}: {answer}")
        return answer


def pages(konnect, path, size):
    """Every item of a list with cursors. `meta` is the page itself, or has it under `page`."""
    query, items = urllib.parse.urlencode({"page[size]": size}), []
    while True:
        answer = konnect.expect(200, "GET", f"{path}?{query}")
        meta = answer["meta"].get("page", answer["meta"])
        items += answer["data"]
        if meta["next"] is None:
            return items
        # The link is a path of Konnect's own; only its query is of use to a client behind a base URL.
        query = urllib.parse.urlsplit(meta["next"]).query


# The receiver ---------------------------------------------------------------------------------------------------------------


class Receiver:
    """Takes deliveries, as a SIEM does."""

    def __init__(self):
        self.lines, self.problems = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.take(self.headers, body)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/audit-logs"

    def take(self, headers, body):
        if headers.get("Content-Type") != "text/plain":
            self.problems.append(f"content type {headers.get('Content-Type')}")
        if headers.get("Authorization") != SECRET:
            self.problems.append(f"authorization {headers.get('Authorization')}")
        # The page says `application/gzip`, kongctl knows `gzip`.
        if "gzip" in (headers.get("Content-Encoding") or ""):
            body = gzip.decompress(body)
        self.lines += body.decode().splitlines()

    def drain(self):
        check(not self.problems, f"deliveries: {self.problems}")
        lines, self.lines = self.lines, []
        return lines


# Events ---------------------------------------------------------------------------------------------------------------------


def parse(line, log_format):
    """The fields of a line, and the line without its signature: what was signed."""
    if log_format == "cef":
        match = re.fullmatch(r"(\S+) konghq\.com CEF:0\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|(.*)", line)
        check(match, f"no CEF: {line}")
        names = ["event_ts", "event_vendor", "event_product", "event_version", "event_class_id", "name", "severity"]
        fields = dict(zip(names, match.groups()))
        # Values may have spaces in them, so that a field ends where the next one begins.
        starts = list(re.finditer(r"(?:^| )([a-z_]+)=", match.group(8)))
        ends = [start.start() for start in starts[1:]] + [len(match.group(8))]
        for start, end in zip(starts, ends):
            fields[start.group(1)] = match.group(8)[start.end() : end]
        check([start.group(1) for start in starts][:2] == ["rt", "src"], f"extensions begin with rt and src: {line}")
        return fields, line.replace(f" sig={fields['sig']}", "")
    fields = json.loads(line)
    if log_format == "cps":
        check(list(fields) == ["event"], f"CPS has the event under `event`: {line}")
        fields = fields["event"]
    return fields, line.replace(f',"sig":"{fields["sig"]}"', "")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_keys(konnect):
    keys = konnect.expect(200, "GET", "/v2/audit-log-webhook/jwks.json")["keys"]
    check(all(key["kty"] == "OKP" and key["crv"] == "Ed25519" for key in keys), f"keys: {keys}")
    return [Ed25519PublicKey.from_public_bytes(decode(key["x"])) for key in keys]


def is_signed(keys, fields, signed):
    for key in keys:
        try:
            key.verify(decode(fields["sig"]), signed.encode())
            return True
        except InvalidSignature:
            continue
    return False


def check_event(fields):
    common = {"rt", "src", "org_id", "principal_id", "trace_id", "user_agent", "name", "severity", "event_class_id"}
    check(common <= fields.keys(), f"{common - fields.keys()} is missing: {fields}")
    severity, name = int(fields["severity"]), fields["name"]
    if name.startswith("AUTHENTICATION_OUTCOME_"):
        outcome = name.removeprefix("AUTHENTICATION_OUTCOME_")
        expected = {"SUCCESS": 0, "NOT_FOUND": 1, "INVALID_PASSWORD": 1, "TOKEN_EXPIRED": 1, "LOCKED": 6, "DISABLED": 6, "INVALID": 7}
        check(severity == expected[outcome], f"severity of {fields}")
        check(str(fields["success"]).lower() == str(outcome == "SUCCESS").lower(), f"success of {fields}")
    elif name.startswith("Authz."):
        check(severity == (1 if str(fields["granted"]).lower() == "true" else 6), f"severity of {fields}")
        check("action" in fields, f"action of {fields}")
    else:
        check(name == "Ingress", f"name of {fields}")
        expected = {"401": 6, "403": 6, "500": 10}.get(str(fields["status"]), 1)
        check(severity == expected, f"severity of {fields}")


# The tour -------------------------------------------------------------------------------------------------------------------


def window():
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    text = lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"start_at": text(now - datetime.timedelta(hours=25)), "end_at": text(now)}


def replay(konnect, path):
    """Replays the last day, and waits for its end. Meanwhile a second request is a conflict."""
    asked = window()
    job = konnect.expect(202, "PUT", path, asked)
    check(job["status"] in ("accepted", "pending", "running"), f"an accepted job: {job}")
    seen, limit = [], time.monotonic() + 30
    while time.monotonic() < limit:
        job = konnect.expect(200, "GET", path)
        check({key: job[key] for key in asked} == asked, f"the window of {job}")
        if not seen or seen[-1] != job["status"]:
            seen.append(job["status"])
            if job["status"] == "running":
                konnect.expect(409, "PUT", path, asked)
        if job["status"] in ("completed", "failed"):
            check(job["status"] == "completed", f"the replay ended as {job}")
            return seen
        time.sleep(0.05)
    raise SystemExit(f"FAILED: {path} did not end: {seen}")


def point_at(konnect, webhook, destination):
    enabled = {"audit_log_destination_id": destination, "enabled": True}
    check(konnect.expect(200, "PATCH", webhook, enabled) == enabled, f"PATCH {webhook}")
    check(konnect.expect(200, "GET", webhook) == enabled, f"GET {webhook}")
    status = konnect.expect(200, "GET", webhook + "/status")
    check((status["webhook_enabled"], status["webhook_status"]) == (True, "active"), f"status of {webhook}: {status}")


def replayed(konnect, receiver, scope, destination):
    """The same events in each format, all of them signed. Answers them by trace id and name."""
    keys, found = public_keys(konnect), {}
    for log_format in ("cef", "json", "cps"):
        konnect.expect(200, "PATCH", f"/v3/audit-log-destinations/{destination}", {"log_format": log_format})
        states = replay(konnect, f"{scope}/audit-log-replay-job")
        parsed = [parse(line, log_format) for line in receiver.drain()]
        check(parsed, f"{scope} {log_format}: nothing was delivered")
        for fields, signed in parsed:
            check_event(fields)
            check(is_signed(keys, fields, signed), f"{log_format}: a signature does not fit: {fields}")
            check(not is_signed(keys, fields, signed + " "), f"{log_format}: any signature fits: {fields}")
        events = {(str(fields["trace_id"]), fields["name"]): fields for fields, _ in parsed}
        check(len(events) == len(parsed), f"{scope} {log_format}: an event came twice")
        check(found.keys() in ({}.keys(), events.keys()), f"{scope} {log_format}: other events than in the format before")
        found = events
        print(f"{scope} {log_format}: {len(parsed)} events, all signed; states {', '.join(states)}")
    status = konnect.expect(200, "GET", f"{scope}/audit-log-webhook/status")
    check((status["last_response_code"], status["webhook_status"]) == (202, "active"), f"status after the replay: {status}")
    return found


def pulled(konnect, of_webhook):
    items = pages(konnect, "/v3/audit-logs", 7)
    check(len(items) == len({(item["trace_id"], item["ts"], item["type"]) for item in items}), "an item was listed twice")
    by_type = {}
    for item in items:
        by_type.setdefault(item["type"], []).append(item)
    check(by_type.keys() == {"authentication", "authorization", "gateway_access"}, f"types {by_type.keys()}")
    check({item["trace_id"] for item in items} == {trace_id for trace_id, _ in of_webhook}, "pulled and replayed events differ")
    for kind, expected in by_type.items():
        query = urllib.parse.urlencode({"filter[type]": kind, "page[size]": 1000})
        found = konnect.expect(200, "GET", f"/v3/audit-logs?{query}")["data"]
        check(found == expected, f"filter[type]={kind}")
    refused = konnect.expect(400, "GET", "/v3/audit-logs?" + urllib.parse.urlencode({"page[size]": 1001}))
    check(refused["invalid_parameters"][0]["field"] == "page[size]", f"{refused}")
    print(f"/v3/audit-logs: {len(items)} events, the same as by webhook")


def refusals(konnect, portal):
    path = f"/v3/portals/{portal}/audit-log-replay-job"
    status, kind, answer = konnect.call("GET", path, token="kpat_wrong")
    check((status, kind, answer["title"]) == (401, PROBLEM, "Unauthorized"), f"a wrong token: {status} {kind} {answer}")
    konnect.expect(404, "GET", "/v3/portals/00000000-0000-4000-8000-000000000000/audit-log-replay-job")
    refused = konnect.expect(400, "PUT", path, {"start_at": "yesterday", "end_at": window()["end_at"]})
    first = refused["invalid_parameters"][0]
    check((first["field"], first["rule"]) == ("start_at", "is_date_time"), f"{refused}")
    old = {"start_at": "2017-07-21T17:32:28Z", "end_at": window()["end_at"]}
    check(konnect.expect(400, "PUT", path, old)["invalid_parameters"][0]["field"] == "start_at", "a window too old")
    konnect.expect(400, "POST", "/v3/audit-log-destinations", {"name": "nothing else"})


def main(base, token):
    konnect, receiver = Konnect(base, token), Receiver()
    portals = konnect.expect(200, "GET", "/v3/portals?" + urllib.parse.urlencode({"page[size]": 10, "page[number]": 1}))
    check(portals["meta"]["page"]["total"] == len(portals["data"]) == 1, f"portals: {portals}")
    portal = portals["data"][0]["id"]
    check(konnect.expect(200, "GET", "/v2/portals")["data"][0]["id"] == portal, "the same portal in v2")
    refusals(konnect, portal)

    new = {"name": "outside", "endpoint": receiver.url, "log_format": "cef", "authorization": SECRET}
    made = konnect.expect(201, "POST", "/v3/audit-log-destinations", new)
    check("authorization" not in made, "a secret is shown")
    destination = made["id"]
    check(destination in [one["id"] for one in pages(konnect, "/v3/audit-log-destinations", 1)], "the destination is listed")
    check(konnect.expect(200, "GET", f"/v2/audit-log-destinations/{destination}") == made, "the destination in v2")

    check(konnect.expect(200, "GET", "/v2/audit-log-webhook") == {"enabled": False, "endpoint": "unconfigured"}, "no webhook")
    konnect.expect(404, "GET", "/v3/audit-log-webhook")
    scopes = {f"/v3/portals/{portal}": {}, "/v3": {}}
    for scope in scopes:
        job = konnect.expect(200, "GET", f"{scope}/audit-log-replay-job")
        check((job["status"], job["start_at"]) == ("unconfigured", "0001-01-01T00:00:00Z"), f"an unconfigured job: {job}")
        point_at(konnect, f"{scope}/audit-log-webhook", destination)
        scopes[scope] = replayed(konnect, receiver, scope, destination)
    check(konnect.expect(200, "GET", "/v2/audit-log-webhook")["endpoint"] == receiver.url, "the v2 form names the endpoint")
    pulled(konnect, scopes["/v3"])

    konnect.expect(409, "DELETE", f"/v3/audit-log-destinations/{destination}")
    for scope in scopes:
        off = konnect.expect(200, "PATCH", f"{scope}/audit-log-webhook", {"enabled": False})
        check(off["enabled"] is False, f"turned off: {off}")
        konnect.expect(204, "DELETE", f"{scope}/audit-log-webhook")
        status = konnect.expect(200, "GET", f"{scope}/audit-log-webhook/status")
        check((status["webhook_enabled"], status["webhook_status"]) == (False, "unconfigured"), f"status: {status}")
    konnect.expect(204, "DELETE", f"/v3/audit-log-destinations/{destination}")
    konnect.expect(404, "GET", f"/v3/audit-log-destinations/{destination}")
    print("everything was as documented")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
