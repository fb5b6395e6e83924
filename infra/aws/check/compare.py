"""Compares what the two worlds made of the same photo.

Everything is compared but what stands in `LEFT_OUT`, each with its reason. Ids are not left out: they are renamed in
the order in which they appear, so that what names what is compared too. A difference is printed as a diff, and fails.
"""

import difflib
import fnmatch
import json
import re

ID = re.compile(r"\b([a-z]{3,4})_[0-9a-f]{32}\b")

# Where (a path of names, `*` for any part of it) and why. A place that neither world has is an error. `draft` is the
# draft as it awaits approval, `approved` the same one after it.
LEFT_OUT = [
    # Times: the worlds do not run at the same moment.
    ("*.created", "when this world was at it"),
    ("posts.*.at", "when this world was at it"),
    ("*.until", "how long an address or an approval lives counts from when it was asked for"),
    # Provenance: which engine it was is what the two worlds differ in.
    ("*.label_engine", "the engine's name"),
    ("*.engine", "the engine's name"),
    ("*.labels.*.source", "the engine's name"),
    # Bytes of what was made, and what follows from them. Those of the photo are compared.
    ("*.track.size", "of encoded sound"),
    ("*.track.digest", "of encoded sound"),
    ("*.films.*.size", "of encoded video and its still"),
    ("*.films.*.digest", "of encoded video and its still"),
    ("*.proposal.posts.*.video", "a post's video is told by its digest"),
    ("posts.*.video", "a post's video is told by its digest"),
    ("*.proposal.digest", "over the digests of the videos"),
    ("posts.*.digest", "over the digests of the videos; an approval names the same"),
    ("posts.*.hash", "chained from times and digests"),
    ("draft.*.url", "an address in this world's store"),
    ("approved.*.url", "an address in this world's store"),
    ("media.*.url", "an address in this world's store"),
    ("*.duration_ms", "MP3 has frames, which WAV has not: looked at below"),
    ("*.start_ms", "as the duration"),
    ("*.end_ms", "as the duration"),
    ("*.loudness_lufs", "measured on encoded sound: looked at below"),
    # Persons: each world has its own.
    ("posts.*.by", "who approved"),
]
# Kinds of labels that the host's labeller tells and Rekognition does not.
ONLY_THE_HOST = {"medium": "whether it is a photo", "code": "what a QR code says"}
# By how much tracks may differ: a frame of MP3 has 24 ms, each sentence its own, and encoders fill up both ends.
SENTENCE_MS = 120
# What `narrate` promises of its tracks, and how near it comes.
LOUDNESS, WITHIN = -16.0, 1.0


def strip(value, path, used):
    """Without what is left out."""
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            rule = next((rule for rule, _ in LEFT_OUT if fnmatch.fnmatchcase(here, rule)), None)
            if rule:
                used.add(rule)
            else:
                kept[name] = strip(inner, here, used)
        return kept
    if isinstance(value, list):
        return [strip(inner, f"{path}.{n}", used) for n, inner in enumerate(value)]
    return value


def renamed(text):
    """Every id by its kind and the order in which it appears."""
    names, counts = {}, {}

    def name(match):
        kind = match[1]
        if match[0] not in names:
            counts[kind] = counts.get(kind, 0) + 1
            names[match[0]] = f"{kind}_{counts[kind]}"
        return names[match[0]]

    return ID.sub(name, text)


def comparable(found, used):
    """What is compared, as lines."""
    found = json.loads(json.dumps(found))
    for draft in [found["draft"], found["approved"]]:
        labels = [label for label in draft["labels"] if label["kind"] not in ONLY_THE_HOST]
        # Equally sure labels have no order.
        labels.sort(key=lambda label: (-round(label["confidence"], 2), label["kind"], label["name"]))
        for label in labels:
            label["confidence"] = round(label["confidence"], 2)
        draft["labels"] = labels
    stripped = strip(found, "", used)
    return renamed(json.dumps(stripped, ensure_ascii=False, indent=1, sort_keys=True)).splitlines()


def moves(rows, states):
    """The states that each thing went through, in order, without those in which a row was only written anew."""
    ways = {}
    for kind, body in rows:
        state = body[states[kind]]
        state = state if isinstance(state, str) else json.dumps(state, sort_keys=True)
        way = ways.setdefault(f"{kind} {body['id']}", [])
        if not way or way[-1] != state:
            way.append(state)
    return [f"{thing.split()[0]}: {' → '.join(way)}" for thing, way in sorted(ways.items())]


def tracks(name, draft):
    """What is promised of every track, whoever spoke."""
    wrong = []
    for language, track in draft["narrations"].items():
        if abs(track["loudness_lufs"] - LOUDNESS) > WITHIN:
            wrong.append(f"{name}, {language}: {track['loudness_lufs']} LUFS, not {LOUDNESS}")
        ends = [0] + [cue["end_ms"] for cue in track["cues"]]
        for before, cue in zip(ends, track["cues"]):
            if not before <= cue["start_ms"] < cue["end_ms"] <= track["duration_ms"]:
                wrong.append(f"{name}, {language}: the cue {cue} stands out of order")
    return wrong


def spans(one, other):
    """Sentences that last longer in one world than encoders explain."""
    wrong = []
    for language in one["narrations"].keys() & other["narrations"].keys():
        for a, b in zip(one["narrations"][language]["cues"], other["narrations"][language]["cues"]):
            lasts = [cue["end_ms"] - cue["start_ms"] for cue in (a, b)]
            if abs(lasts[0] - lasts[1]) > SENTENCE_MS:
                wrong.append(f"{language}: {a['text']!r} lasts {lasts[0]} ms and {lasts[1]} ms")
    return wrong


def compare(one, other):
    """What differs, as text; empty where nothing does. Each is a name, what was found and the moves."""
    used, texts = set(), []
    for _, found, _ in (one, other):
        texts.append(comparable(found, used))
    wrong = []
    for title, sides in [("what was made", texts), ("states and transitions", [one[2], other[2]])]:
        diff = list(difflib.unified_diff(*sides, f"{title}: {one[0]}", f"{title}: {other[0]}", "", "", 4, ""))
        wrong += diff
    wrong += tracks(one[0], one[1]["draft"]) + tracks(other[0], other[1]["draft"])
    wrong += spans(one[1]["draft"], other[1]["draft"])
    unused = {rule for rule, _ in LEFT_OUT} - used
    wrong += [f"neither world has {rule}: remove it from {__file__}" for rule in sorted(unused)]
    return "\n".join(wrong), len(texts[0])
