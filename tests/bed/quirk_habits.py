"""The habits of bed.quirk: what each does to a request and its answer."""

import json
import re
import zlib

MADE_UP = "message-00000000-0000-4000-8000-%012d"

PAGE_FOR_PEOPLE = b"""<!DOCTYPE html><html><head><title>Just a moment...
</title></head><body><h1>Checking your browser</h1></body></html>"""


class Answer:
    """An answer on its way to the client.

    stream      pieces to send in place of body
    length_off  by what its Content-Length is wrong
    cut_at      so many bytes of body, and then the connection ends
    delay_s     before the first byte and, if `step`, each further step
    """

    def __init__(self, status, headers, body=b"", stream=None):
        self.status, self.headers = status, headers
        self.body, self.stream = body, stream
        self.length_off, self.cut_at = 0, None
        self.delay_s, self.step = 0, 0


class Rule:
    """One rule, and what it remembers of the requests that it met."""

    def __init__(self, told):
        told = dict(told)
        self.on = re.compile(told.pop("on"))
        self.do = told.pop("do")
        self.first = told.pop("first", 1)
        self.times = told.pop("times", None)
        if self.do not in HABITS:
            raise ValueError(f"no such habit: {self.do}")
        unknown = set(told) - set(HABITS[self.do])
        if unknown:
            raise ValueError(f"{self.do} takes no {sorted(unknown)}")
        self.want = {**HABITS[self.do], **told}
        self.met, self.memory = 0, []

    def meets(self, request):
        """True if this request is to be treated; counts it."""
        method, path, _ = request
        if not self.on.fullmatch(f"{method} {path}"):
            return False
        self.met += 1
        return self.met >= self.first and (
            self.times is None or self.met < self.first + self.times)

    def instead(self):
        """An answer in place of the server's, or None."""
        make = INSTEAD.get(self.do)
        return make(self.want) if make else None

    def on_query(self, fields):
        if self.do == "limit":
            asked = int(fields.get("limit", self.want["limit"]))
            fields["limit"] = str(min(asked, self.want["limit"]))

    def pace(self):
        return self.want["bytes"] if self.do == "pace" else None

    def on_answer(self, answer, fields):
        change = CHANGES.get(self.do)
        if change is not None:
            return change(answer, self.want)
        change = LISTINGS.get(self.do)
        if self.do == "endless" and answer.status == 404:
            # The server knows no cursor that was made up here.
            answer.status, answer.body = 200, b"[]"
        if change is not None and answer.status == 200:
            page = change(json.loads(answer.body), self, fields)
            answer.body = json.dumps(page, ensure_ascii=False).encode()
        return answer


def own_answer(want):
    return Answer(want["status"], dict(want["headers"]),
                  want["body"].encode())


def html(_):
    return Answer(200, {"Content-Type": "text/html"}, PAGE_FOR_PEOPLE)


def bomb(want):
    def pieces():
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = b" " * 2**20
        for _ in range(want["size"] // len(zeros)):
            piece = packer.compress(zeros)
            if piece:
                yield piece
        yield packer.flush()
    return Answer(200, {"Content-Type": "application/json",
                        "Content-Encoding": "gzip"}, stream=pieces())


def flood(want):
    spaces = b" " * 2**16
    return Answer(200, {"Content-Type": "application/json"}, stream=(
        spaces for _ in range(want["size"] // len(spaces))))


def cut(answer, want):
    answer.cut_at = want["bytes"]
    return answer


def length(answer, want):
    answer.length_off = want["by"]
    return answer


def slow(answer, want):
    answer.delay_s, answer.step = want["seconds"], want["step"]
    return answer


def replace(answer, want):
    answer.body = answer.body.replace(want["old"].encode(),
                                      want["new"].encode())
    return answer


def repeat(page, rule, _):
    """The page before this one again, as if the cursor was not seen."""
    rule.memory.append(page)
    at = rule.want["page"]
    return rule.memory[at - 2] if len(rule.memory) == at else page


def cycle(page, rule, _):
    rule.memory.append(page)
    return rule.memory[(len(rule.memory) - 1) % rule.want["pages"]]


def endless(page, rule, fields):
    if page:
        return page
    rule.memory.append(None)
    size = int(fields.get("limit", 100))
    first = len(rule.memory) * size
    return [{"id": MADE_UP % (first + n), "message_type": "user_message",
             "date": "2025-01-01T00:00:00+00:00", "content": f"made up {n}"}
            for n in range(size)]


def twins(page, rule, _):
    """Rows are the items of one id; the last one, the cursor, keeps it."""
    names = list(dict.fromkeys(item["id"] for item in page))
    every = rule.want["every"]
    renamed = {name: names[n - 1] for n, name in enumerate(names[:-1])
               if n % every == every - 1}
    return [{**item, "id": renamed.get(item["id"], item["id"])}
            for item in page]


def insert(page, rule, _):
    rule.memory.append(None)
    if len(rule.memory) != rule.want["page"]:
        return page
    at = rule.want["at"]
    return page[:at] + rule.want["items"] + page[at:]


_ANSWER = {"headers": {}, "body": ""}

#: Habit: what it takes, with the defaults.
HABITS = {
    "status": {"status": 502, **_ANSWER}, "html": {},
    "bomb": {"size": 2**27}, "flood": {"size": 2**40},
    "acted": {"status": 500, **_ANSWER}, "cut": {"bytes": 0},
    "length": {"by": 10}, "slow": {"seconds": 1, "step": 0},
    "replace": {"old": "", "new": ""},
    "limit": {"limit": 7}, "repeat": {"page": 2}, "cycle": {"pages": 2},
    "endless": {}, "twins": {"every": 5},
    "insert": {"items": [], "page": 1, "at": 0}, "pace": {"bytes": 100_000},
}
INSTEAD = {"status": own_answer, "html": html, "bomb": bomb, "flood": flood}
CHANGES = {"acted": lambda _, want: own_answer(want), "cut": cut,
           "length": length, "slow": slow, "replace": replace}
LISTINGS = {"repeat": repeat, "cycle": cycle, "endless": endless,
            "twins": twins, "insert": insert}


def check():
    """Every habit is done somewhere."""
    done = {*INSTEAD, *CHANGES, *LISTINGS, "limit", "pace"}
    assert done == set(HABITS), done ^ set(HABITS)
