"""The way of a photo through one world, as people walk it: an operator announces the photo and puts its bytes, the
line makes a draft of it, an approver approves the draft for a moment in the future.
"""

import json
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

PHOTO = "events/photos/coffee.png"
ACCOUNT = {
    "email": "owner@example.com",
    "business_name": "Café Aurora",
    "niche": "coffee shop",
    "brand_voice": "warm and a little playful",
    "display_name": "Café Aurora",
}
PRODUCT = {
    "name": "Aurora Flat White",
    "description": "A double shot of our house espresso with steamed milk, served in a warm cup.",
    "description_es": "Un doble espresso de la casa con leche vaporizada, servido en taza caliente.",
    "vertical": "coffee",
    "keywords": ["coffee", "flat white", "espresso", "breakfast"],
    "price": {"minor": 420, "currency": "USD"},
    "url": "https://example.com/flat-white",
}
# When the posts are to be sent: late enough that nobody sends them while this runs, within the calendar's two years.
SEND_AT = (datetime.now(timezone.utc) + timedelta(days=300)).strftime("%Y-%m-%dT09:00:00Z")
# How long a step of the line may take, seconds.
PATIENCE = 90


class Steps:
    """Says how far it came, and when."""

    def __init__(self, name):
        self.began = time.monotonic()
        print(f"\n{name}", flush=True)

    def done(self, what):
        print(f"  {time.monotonic() - self.began:5.1f} s  {what}", flush=True)


def put(upload, content, headers=None):
    """The store's answer to the bytes: its status, and what it complains of."""
    request = urllib.request.Request(
        upload["url"], content, headers=upload["headers"] | (headers or {}), method=upload["method"])
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode(errors="replace")


def wait(world, what, found):
    """What `found` finds, as soon as it finds something."""
    until = time.monotonic() + PATIENCE
    while not (seen := found()):
        if dead := world.dead_letters():
            raise AssertionError(f"{world.name}: {what}: dead letters: {dead}")
        assert time.monotonic() < until, f"{world.name}: {what}: not within {PATIENCE} s"
        time.sleep(0.1)
    return seen


def walk(world):
    """Everything that there is of the photo in the end."""
    steps = Steps(world.name)
    assert world.call("GET", "/v1/drafts", who=None)[0] == 401
    head, body, signature = world.tokens["operator"].split(".")
    forged = ".".join([head, body, signature[::-1]])
    assert world.call("GET", "/v1/drafts", token=forged)[0] == 401
    assert world.get("/v1/drafts")["items"] == []
    steps.done("the API answers a token; without one, or with a forged one: 401")

    account = world.send("PUT", "/v1/account", ACCOUNT)
    product = world.send("POST", "/v1/products", PRODUCT)
    with open(PHOTO, "rb") as file:
        photo = file.read()
    announced = world.send(
        "POST", "/v1/media", {"content_type": "image/png", "size": len(photo), "product": product["id"]})
    upload = announced["upload"]
    assert put(upload, photo + b"!")[0] >= 400, "another size"
    assert put(upload, photo, {"content-type": "image/gif"})[0] >= 400, "another type"
    status, complaint = put(upload, photo)
    assert status == 200, f"{world.name}: the photo is not taken: {status} {complaint}"
    steps.done("the photo is announced and put; the store takes exactly what was signed")

    media = announced["media"]["id"]

    def ingested():
        seen = world.get(f"/v1/media/{media}")
        assert seen["state"] in ("awaiting_upload", "ready"), seen
        return seen if seen["state"] == "ready" else None

    media = wait(world, "ingest", ingested)
    steps.done("ingest has cleaned the photo and begun a draft")

    def drafted():
        seen = world.get(f"/v1/drafts/{media['draft']}")
        return seen if seen["stage"] == "awaiting_approval" else None

    draft = wait(world, "the line", drafted)
    steps.done("the draft awaits approval")

    approval = {"digest": draft["proposal"]["digest"], "at": SEND_AT}
    path = f"/v1/drafts/{draft['id']}/approve"
    assert world.call("POST", path, approval)[0] == 403, "an operator may not approve"
    posts = world.send("POST", path, approval, who="approver")["posts"]
    steps.done(f"an approver, and nobody else, approves it: {len(posts)} posts for {SEND_AT}")
    return {"account": account, "product": product, "media": media, "draft": draft,
            "approved": world.get(f"/v1/drafts/{draft['id']}"), "posts": posts}


def tell(draft):
    """The draft in the manner of `nexus demo`."""
    print(f"\nDraft {draft['id']} waits for approval.\n")
    print(f"labels  ({draft['label_engine']})\n    " + ", ".join(label["name"] for label in draft["labels"]) + "\n")
    for language, words in draft["words"].items():
        print(f"{language}  ({words['engine']})")
        for caption in words["captions"].values():
            print("\n".join(f"    {line}" for line in caption.splitlines()))
        print("    " + " ".join(f"#{tag}" for tag in words["hashtags"]) + "\n")
    for note in draft["notes"]:
        print(f"note  {note['text']}\n")
    for kind in ["narrations", "films"]:
        for language, made in draft[kind].items():
            print(f"{kind} {language}  {made['duration_ms'] / 1000:.1f} s  ({made['engine']})")


def phrases(draft):
    """What is English and what is Spanish in a draft, text by text."""
    english, spanish = draft["words"]["en"], draft["words"]["es"]
    pairs = {english["description"]: spanish["description"]}
    pairs |= {text: spanish["captions"][network] for network, text in english["captions"].items()}
    pairs |= dict(zip(english["script"], spanish["script"], strict=True))
    return [{"en": en, "es": es} for en, es in pairs.items()]


def save(path, found):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file, ensure_ascii=False, indent=1)
