"""The figures in each view about claims, carriers, emails and runs, read from tables, pages, emails and files."""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from bs4 import BeautifulSoup, Tag
from starlette.testclient import TestClient

from recours.carriers.registry import CATALOG
from recours.core.accounts import carrier_of
from recours.core.localized import Localized
from recours.reporting.problems import OF_LATE_CLAIMS
from tests.acceptance.person import QuickPerson

PARIS = ZoneInfo("Europe/Paris")
ENGLISH = Localized("en", PARIS)
UNKNOWN = "unknown carrier"
ALL = "all"
NAMES = {key: spec.name for key, spec in CATALOG.specs.items()} | {"": UNKNOWN, "none": UNKNOWN}
# Column headings, and the dashboard's cards, by what they count.
STAGES = {
    "due": ("Due", "Due now"),
    "waiting": ("Waiting",),
    "to_correct": ("To correct",),
    "given_up": ("Given up",),
    "unjudged": ("Not assessed",),
    "unnumbered": ("No number",),
    "shelved": ("Not needed",),
}
STAGE_OF_HEAD = {head: stage for stage, heads in STAGES.items() for head in heads}
ON_PAGE = ("due", "waiting", "to_correct", "given_up")
COUNTS = {"Proofs": "success", "Given up": "given_up", "Failed attempts": "failed", "Deferred": "left"}
RATES = {"Success": "success_rate", "Per attempt": "attempt_success_rate"}
CHARTED = {"success": "success", "fetched": "success", "given up": "given_up", "Success rate": "success_rate"}

HEALTH = {"open": "active", "paused": "paused", "refused": "rejected by the carrier", "unusable": "unusable"}

Figure = tuple[str, ...]
Row = Mapping[str, str]


@dataclass
class Readings:
    """Each figure with its value in every view."""

    values: dict[Figure, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, view: str, value: Any, *figure: str) -> None:
        self.values[figure][view] = value

    def contradictions(self) -> list[str]:
        """One line for each figure with different values in different views."""
        lines = []
        for figure, values in self.values.items():
            views: dict[str, list[str]] = defaultdict(list)
            for view, value in (values | self._zeros(figure, values)).items():
                views[repr(value)].append(view)
            if len(views) > 1:
                said = "; ".join(f"{', '.join(who)}: {value}" for value, who in views.items())
                lines.append(f"{' of '.join(figure)}: {said}")
        return lines

    def _zeros(self, figure: Figure, values: Mapping[str, Any]) -> dict[str, int]:
        """Add zeros to views that count claims by stage and carrier and omit carriers without claims."""
        stage, carrier, *more = (*figure, ALL)
        if stage not in STAGES or carrier == ALL or more != [ALL]:
            return {}
        of_stage = (
            shown_figures
            for (name, *of), shown_figures in self.values.items()
            if name == stage and len(of) == 1 and of != [ALL]
        )
        views = {
            view for shown_figures in of_stage for view in shown_figures if not view.startswith("list of")
        }
        if carrier == UNKNOWN:
            views -= {"page carriers", "plan --json"}  # which have no row for them
        return dict.fromkeys(views - set(values), 0)


# ---------------------------------------------------------------- as texts and pages have it


def tables(text: str) -> dict[str, list[dict[str, str]]]:
    """The tables of a command's output in a pipe, by title; cells by column heading."""
    tables_: dict[str, list[dict[str, str]]] = {}
    for title, block in re.findall(r"^(\S.*)\n((?:  .*\n)+)", text, re.MULTILINE):
        lines = block.splitlines()
        length = max(map(len, lines))
        head, *rows = [line.ljust(length) for line in lines]
        heads = list(re.finditer(r"\S+(?: \S+)*", head))
        cuts = [0]
        for left, right in pairwise(heads):
            between = range(left.end(), right.start() - 1)
            blanks = [at for at in between if all(not row[at : at + 2].strip() for row in rows)]
            if not blanks:
                break  # these lines are no table rows
            cuts.append(blanks[0])
        spans = list(zip(heads, cuts, [*cuts[1:], length], strict=False))
        tables_[title] = [
            {name.group(): row[start:end].strip() for name, start, end in spans} for row in rows
        ]
    return tables_


def number(text: str) -> int:
    return int(re.sub(r"[,+]", "", text) or 0)


def percent(text: str) -> float | None:
    return float(text.rstrip("%")) if text.strip("–") else None


def moment(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds") if text else ""


def words(node: Tag | None) -> str:
    return " ".join(node.get_text(" ", strip=True).split()) if node else ""


def cells_of(table: Tag) -> list[list[str]]:
    """The cells, with the row of headings."""
    return [[words(cell) for cell in row.select("th, td")] for row in table.select("tr")]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@dataclass
class Views:
    """All views at one time. `metrics`: for a monitoring system; `now`: in the users' time zone.

    `share`: which of the claim lists behind figures are opened. `are_edited`: some claims have been edited since the
    last run; a plan
    counts them in the state of the next run, all others in the state of the last one.
    """

    person: QuickPerson
    page: TestClient
    metrics: str
    now: datetime
    chance: Random
    share: float
    are_edited: bool
    readings: Readings = field(default_factory=Readings)
    facts: dict[str, Any] = field(default_factory=dict)  # from status
    claims: list[dict[str, str]] = field(default_factory=list)  # from the export
    claims_of: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)  # from problems
    days_over: dict[Figure, int] = field(default_factory=dict)  # results of past days

    def read(self) -> Readings:
        self._status()
        self._check()
        self._carriers()
        self._plan()
        self._overview()
        self._page_carriers()
        self._weekly()
        self._metrics()
        self._export()
        return self.readings

    def add(self, view: str, value: Any, *figure: str) -> None:
        self.readings.add(view, value, *figure)

    def add_stages(self, view: str, stages: Mapping[str, Mapping[str, int]], *, names: Sequence[str]) -> None:
        """Add claims by stage and carrier, and of all carriers."""
        for stage in names:
            for carrier, count in stages.get(stage, {}).items():
                self.add(view, count, stage, carrier)
            self.add(view, sum(stages.get(stage, {}).values()), stage, ALL)

    def soup(self, path: str) -> BeautifulSoup:
        answer = self.page.get(path)
        assert answer.status_code == 200, path
        return BeautifulSoup(answer.text, "html.parser")

    @property
    def problems(self) -> list[dict[str, Any]]:
        return list(self.facts["problems"])

    # ---------------------------------------------------------------- the terminal

    def _status(self) -> None:
        text, self.facts = self.person.does("status"), self.person.json("status")
        shown, lines, facts = tables(text), text.splitlines(), self.facts
        for view, verdict, problems, remedies in (
            ("status", lines[0], [line[2:] for line in lines if line.startswith("! ")],
             [line[4:] for line in lines if line.startswith("  → ")]),
            ("status --json", facts["verdict"], [problem["sentence"] for problem in self.problems],
             [problem["remedy"] for problem in self.problems]),
        ):  # fmt: skip
            self.add(view, verdict, "verdict")
            self.add(view, problems, "problems")
            self.add(view, remedies, "remedies")
        waiting, held = re.findall(r"^Emails: (\d+) waiting, (\d+) held$", text, re.MULTILINE)[0]
        mails: Counter[str] = Counter(facts["mails"])
        self.add("status", [int(waiting), int(held)], "mails that wait and are held")
        self.add(
            "status --json",
            [mails["ready"] + mails["sending"], mails["held"]],
            "mails that wait and are held",
        )
        self._verdict()
        self._backlogs(shown.get("Backlog", []))
        self._rates(shown)
        self._accounts()
        self._runs(shown["Runs"])

    def _verdict(self) -> None:
        for problem in self.problems:
            of = problem["carrier"] or ALL
            self.add("status --json", problem["count"], "claims of", problem["kind"], of)
            self.add("status --json", problem["amounts"], "sum of", problem["kind"], of)
        to_correct = sum(problem["count"] for problem in self.problems if problem["kind"] == "to_correct")
        self.add("problems", to_correct, "to_correct", ALL)
        well = r"All is well: (\d+) proofs? today, ([\d,]+) claims? in progress, (nothing|\d+)"
        if said := re.match(well, self.facts["verdict"]):
            backlogs = self.facts["backlogs"]
            today = list(self.facts["success"]["by_day"].values())[-1]["success"]
            closed = {carrier["key"] for carrier in self.facts["carriers"] if carrier["closed"]}
            blocked = sum(one["due"] + one["waiting"] for one in backlogs if one["carrier"] in closed)
            in_progress = sum(one["due"] + one["waiting"] + one["unjudged"] for one in backlogs)
            self.add(
                "verdict", [number(said[1]), number(said[2]), number(said[3].replace("nothing", "0"))], "well"
            )
            self.add("status --json", [today, in_progress, blocked], "well")

    def _backlogs(self, rows: Sequence[Row]) -> None:
        stages: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for row, backlog in zip(rows, self.facts["backlogs"], strict=True):
            name = NAMES[backlog["carrier"] or ""]
            oldest = backlog["oldest"] and datetime.fromisoformat(backlog["oldest"])
            self.add("status", row["Oldest"], "oldest day", name)
            self.add("status --json", ENGLISH.day(oldest) if oldest else "", "oldest day", name)
            self.add("status --json", ENGLISH.minute(oldest) if oldest else "", "oldest", name)
            for head, stage in STAGE_OF_HEAD.items():
                if head in row:
                    stages["status"][stage][row["Carrier"]] = number(row[head])
                    stages["status --json"][stage][name] = backlog[stage]
        for view in ("status", "status --json"):
            self.add_stages(view, stages[view], names=tuple(STAGES))

    def _rates(self, shown: Mapping[str, Sequence[Row]]) -> None:
        success = self.facts["success"]
        of_days = next(rows for title, rows in shown.items() if title.startswith("Success in"))
        for head, rows, facts in (
            ("Day", of_days, success["by_day"]),
            ("Carrier", shown.get("By carrier", []), success["by_carrier"]),
        ):
            for row in rows:
                for column, name in COUNTS.items():
                    self.add("status", number(row[column]), name, "in", row[head])
                for column, name in RATES.items():
                    self.add("status", percent(row[column]), name, "in", row[head])
            for key, rate in facts.items():
                for name in (*COUNTS.values(), *RATES.values()):
                    self.add("status --json", rate[name], name, "in", NAMES.get(key, key))
            for name in COUNTS.values():
                self.add(
                    f"status --json by {head}", sum(rate[name] for rate in facts.values()), name, "in", ALL
                )
        for name in (*COUNTS.values(), *RATES.values()):
            self.add("status --json", success["all"][name], name, "in", ALL)
        for row in shown.get("Errors", []):
            self.add("status", number(row["Attempts"]), "errors", row["Kind"])
            self.add("status --json", success["errors"][row["Kind"]], "errors", row["Kind"])

    def _accounts(self) -> None:
        for carrier in self.facts["carriers"]:
            name = carrier["carrier"]
            self.add("status --json", carrier["unavailable_since"], "unavailable since", name)
            if carrier["configured"]:
                is_closed = bool(carrier["closed"] or carrier["unavailable_since"])
                self.add("status --json", is_closed, "takes no call", name)
            self._uses("status --json", carrier)
        for account in self.facts.get("accounts", []):
            name = NAMES[account["carrier"]]
            self.add("status --json", HEALTH[account["health"]], "account", name, account["client"])

    def _uses(self, view: str, carrier: Mapping[str, Any]) -> None:
        for quota in carrier["quotas"]:
            limit = f"{quota['limit']} per {quota['window']}"
            self.add(view, quota["used"], "calls used", carrier["carrier"], limit)

    def _runs(self, rows: Sequence[Row]) -> None:
        for worker in self.facts["workers"]:
            name = worker["worker"]
            stats = [run["stats"] for run in worker["runs"] if run["ended_at"]]
            over = [row for row in rows if row["Worker"] == name and row["Duration"]]
            if stats and over:
                self.add("status --json", [stats[0]["success"], stats[0]["failed"]], "last run", name)
                self.add("status", [number(over[0]["Success"]), number(over[0]["Failed"])], "last run", name)

    def _check(self) -> None:
        done = self.person.types("status", "--check")
        lines = done.stdout.splitlines()
        self.add("status --check", lines[0], "verdict")
        self.add("status --check", [line[2:] for line in lines if line.startswith("! ")], "problems")
        self.add("status --check", done.returncode == 0, "is well")
        self.add("status --json", not self.problems, "is well")

    def _carriers(self) -> None:
        text, facts = self.person.does("carriers"), self.person.json("carriers")["carriers"]
        parts = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
        parts_by_name = {re.split(r" {2,}|\n", part)[0]: part for part in parts}
        for carrier in facts:
            name, part = carrier["carrier"], parts_by_name[carrier["carrier"]]
            self.add("carriers --json", carrier["unavailable_since"], "unavailable since", name)
            self._uses("carriers --json", carrier)
            for used, limit, window in re.findall(r"(\d+)/(\d+) per (\w+)", part):
                self.add("carriers", int(used), "calls used", name, f"{limit} per {window}")
            if carrier["configured"]:
                is_out = bool(carrier["unavailable_since"] and not carrier["closed"])
                self.add("carriers --json", is_out, "said to be unavailable", name)
                self.add("carriers", "unavailable: " in part, "said to be unavailable", name)

    def _plan(self) -> None:
        text, facts = self.person.does("plan", "--hours", "168"), self.person.json("plan", "--hours", "168")
        rows = {row["Carrier"]: number(row["Due now"]) for row in tables(text).get("Carriers", [])}
        due: Counter[str] = Counter()
        for carrier in facts["carriers"]:
            name = carrier["name"]
            due[NAMES[carrier_of(carrier["carrier"])]] += carrier["due"]
            self.add("plan --json", carrier["due"], "planned", name)
            self.add("plan", rows[name], "planned", name)
        del due[UNKNOWN]  # a plan knows no account for them
        if not self.are_edited:
            self.add_stages("plan --json", {"due": due}, names=["due"])
            del self.readings.values["due", ALL]["plan --json"]
        sentences = {
            "status --json": [one["sentence"] for one in self.problems if one["kind"] in OF_LATE_CLAIMS],
            "plan --json": [one["sentence"] for one in facts["late"]],
            "plan": re.findall(r"^! (.*)$", text, re.MULTILINE),
        }
        for view, late in sentences.items():
            self.add(view, late, "what is late")

    # ---------------------------------------------------------------- the page

    def _overview(self) -> None:
        soup = self.soup("/?days=7")
        self.add("page", words(soup.select_one("section.verdict h1")), "verdict")
        self.add("page", [words(node) for node in soup.select(".problems .sentence")], "problems")
        for problem, node in zip(self.problems, soup.select(".problems li.card"), strict=True):
            self._page_problem(problem, node)
        for card in soup.select("ul.cards li a"):
            label, about = (words(node) for node in card.select(".soft"))
            self._card(label, words(card.strong), about, str(card["href"]))
        for key, names in (("day", list(self.facts["success"]["by_day"])), ("carrier", None)):
            for table in soup.select(f"[aria-labelledby=chart-by_{key}] details table"):
                (_, *heads), *rows = cells_of(table)
                for place, (name, *cells) in enumerate(rows):
                    of = names[place] if names else name
                    for head, cell in zip(heads, cells, strict=True):
                        value = percent(cell) if head == "Success rate" else number(cell)
                        self.add("page charts", value, CHARTED[head], "in", of)

    def _page_problem(self, problem: Mapping[str, Any], node: Tag) -> None:
        """The badges and the list behind them have exactly the counted claims and their money."""
        kind, of = problem["kind"], problem["carrier"] or ALL
        for badge in map(words, node.select(".badge")):
            if count := re.match(r"([\d,]+) claims?$", badge):
                self.add("page badge", number(count[1]), "claims of", kind, of)
            if badge.endswith(" in dispute"):
                sums = [ENGLISH.money(amount, currency) for currency, amount in problem["amounts"].items()]
                self.add("page badge", badge.removesuffix(" in dispute"), "money of", kind, of)
                self.add("status --json", " + ".join(sums), "money of", kind, of)
                if said := re.search(r"in dispute: ([^;]*\d)[;.]", problem["sentence"]):
                    self.add("sentence", said[1], "money of", kind, of)
        for address in (str(link["href"]) for link in node.select("a.button")):
            if "problem=" in address:
                rows = read_csv(self.page.get(address.replace("/claims", "/claims.csv", 1)).text)
                self.claims_of[kind, of] = rows
                self.add("export of the list", len(rows), "claims of", kind, of)
                self._list("list of the problem", address, "claims of", kind, of)
                if deadline := problem["facts"].get("deadline"):
                    nearest = min(row["deadline"] for row in rows if row["deadline"])
                    self.add("status --json", deadline, "next deadline", kind)
                    self.add("export of the list", nearest, "next deadline", kind)

    def _list(self, view: str, address: str, *figure: str) -> None:
        if self.chance.random() < self.share:
            self.add(view, number(words(self.soup(address).select_one("h1 + .soft"))), *figure)

    def _card(self, label: str, value: str, about: str, address: str) -> None:
        if stage := STAGE_OF_HEAD.get(label):
            self.add("page card", number(value), stage, ALL)
            self._list("list of the card", address, stage, ALL)
        elif label == "Success rate":
            self.add("page card", percent(value), "success_rate", "in", ALL)
        elif label == "Fetched":
            self.add("page card", number(value), "success", "in", ALL)
        elif label == "Emails waiting":
            held = number("".join(re.findall(r"^\d+", about)))
            self.add("page card", [number(value) - held, held], "mails that wait and are held")

    def _page_carriers(self) -> None:
        soup = self.soup("/carriers")
        for client, carrier, health, *_ in (
            row for table in soup.select("table.accounts tbody") for row in cells_of(table)
        ):
            self.add("page carriers", health, "account", carrier, client)
        for row in soup.select("table.carriers tbody tr"):
            name, badge = words(row.th), words(row.select_one(".badge"))
            if "off" not in row.get_attribute_list("class"):
                self.add("page carriers", badge != "available", "takes no call", name)
                self.add("page carriers", badge == "unavailable", "said to be unavailable", name)
            for cell in row.select("td[data-label]"):
                if stage := STAGE_OF_HEAD.get(str(cell["data-label"])):
                    self.add("page carriers", number(words(cell)), stage, name)
                    if cell.a:
                        self._list(f"list of {name}", str(cell.a["href"]), stage, name)

    # ---------------------------------------------------------------- mails

    def _weekly(self) -> None:
        mail = self.person.does("mail", "preview", "weekly_report", "--language", "en")
        subject, text = mail.split("\n", 1)
        items = dict(re.findall(r"^\* (.*)\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE))
        waiting = items.pop("Claims without proof", "")
        week = items.pop(next(title for title in items if re.match(r"Week \d+, from", title)))
        self.add("weekly report", list(items), "problems")
        self.add("weekly report", text.split("\n\n")[1], "verdict")
        to_do = re.search(r", (\d+) problems?", subject)
        self.add("weekly subject", int(to_do[1]) if to_do else 0, "number of problems")
        self.add("status --json", len(self.problems), "number of problems")
        self._week(subject, week)
        stages: dict[str, dict[str, int]] = defaultdict(dict)
        pattern = r"  (.*?): (\S+) due, (\S+) waiting, (\S+) to correct, (\S+) given up"
        for name, *counts in re.findall(pattern, waiting):
            for stage, count in zip(ON_PAGE, counts, strict=True):
                stages[stage][name] = number(count)
        self.add_stages("weekly report", stages, names=ON_PAGE)

    def _week(self, subject: str, text: str) -> None:
        """The figures of the past week, beside those of its days."""
        monday = self.now.date() - timedelta(days=self.now.weekday() + 7)
        days = [(monday + timedelta(days=place)).isoformat() for place in range(7)]
        of = f"the week of {days[0]}"
        rates = self.person.json("status", "--days", "21")["success"]["by_day"]
        for name in COUNTS.values():
            self.add("status --days 21", sum(rates[day][name] for day in days), name, "in", of)
            past = {day: rate[name] for day, rate in rates.items() if day < self.now.date().isoformat()}
            self.days_over |= {(name, "in", day): count for day, count in past.items()}
        proofs = re.search(r": (\d+) proof", subject)
        self.add("weekly subject", number(proofs[1]) if proofs else 0, "success", "in", of)
        if said := re.search(r"Success rate: \S+ \((\S+) of (\S+) closed", text):
            self.add("weekly report", number(said[1]), "success", "in", of)
            self.add("weekly report", number(said[2]) - number(said[1]), "given_up", "in", of)
        if said := re.search(r"Per attempt: \S+ \((\S+) of (\S+)\)", text):
            self.add("weekly report", number(said[2]) - number(said[1]), "failed", "in", of)
        if said := re.search(r"Not counted: (\S+) more", text):
            self.add("weekly report", number(said[1]), "left", "in", of)

    # ---------------------------------------------------------------- programs

    def _metrics(self) -> None:
        samples: dict[str, list[tuple[dict[str, str], int]]] = defaultdict(list)
        for name, labels, value in re.findall(r"^recours_(\w+)\{(.*)\} (\d+)", self.metrics, re.MULTILINE):
            samples[name].append((dict(re.findall(r'(\w+)="([^"]*)"', labels)), int(value)))
        stages: dict[str, Counter[str]] = defaultdict(Counter)
        for labels, count in samples["backlog_claims"]:
            stage = "due" if labels["stage"] in ("ready", "new") else labels["stage"]
            stages[stage][NAMES[labels["carrier"]]] += count
        self.add_stages("metrics", stages, names=tuple(STAGES))
        closed: Counter[str] = Counter()
        for labels, is_closed in samples["carrier_closed"]:
            closed[NAMES[labels["carrier"]]] += is_closed
            if labels["reason"] == "unavailable":
                self.add("metrics", bool(is_closed), "said to be unavailable", NAMES[labels["carrier"]])
        for name, count in closed.items():
            self.add("metrics", bool(count), "takes no call", name)
        for labels, at in samples["backlog_oldest_timestamp_seconds"]:
            self.add(
                "metrics", ENGLISH.minute(datetime.fromtimestamp(at, UTC)), "oldest", NAMES[labels["carrier"]]
            )
        of_runs: dict[str, dict[str, int]] = defaultdict(dict)
        for labels, count in samples["run_claims"]:
            of_runs[labels["worker"]][labels["outcome"]] = count
        for worker, counts in of_runs.items():
            self.add("metrics", [counts["success"], counts["failed"]], "last run", worker)
        kinds = Counter(problem["kind"] for problem in self.problems)
        counts_by_kind = {labels["kind"]: count for labels, count in samples["problems"] if count}
        self.add("metrics", dict(sorted(counts_by_kind.items())), "kinds of problems")
        self.add("status --json", dict(sorted(kinds.items())), "kinds of problems")

    def _export(self) -> None:
        self.claims = read_csv(self.person.does("export", "claims"))
        rows = json.loads(self.person.does("export", "claims", "--json"))
        as_text = [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows]
        self.add("export", self.claims, "claims")
        self.add("export --json", as_text, "claims")
        stages: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.claims:
            stage = "due" if row["stage"] in ("new", "ready") else row["stage"]
            stages[stage][row["carrier"] if row["carrier"] in NAMES.values() else UNKNOWN] += 1
        self.add_stages("export", stages, names=("due", "waiting", "given_up", "unnumbered", "shelved"))
        proofs = Counter(row["pod_fetched_at"][:10] for row in self.claims)
        for day in self.facts["success"]["by_day"]:
            self.add("export", proofs[day], "success", "in", day)

    # ---------------------------------------------------------------- one claim

    def read_claim(self, row: Row) -> None:
        """Read a claim. `row`: from the export."""
        name = row["claim"]
        text, facts = self.person.does("why", name), self.person.json("why", name)
        head = self.soup(f"/claim?reference={name}").select_one(".claim-head")
        lines = self.soup(f"/claims?text={name}").select("table.claims tbody tr")
        line = next(line for line in lines if words(line.th) == name)
        assert head
        self.add("why", text.splitlines()[1].strip(), "sentence", name)
        self.add("why --json", facts["standing"][0], "sentence", name)
        self.add("page claim", words(head.p), "sentence", name)
        self.add("page claim", words(head.select_one(".badge")), "badge", name)
        self.add("page claims", words(line.select_one(".of-stage .badge")), "badge", name)
        self.add("why --json", moment(facts["next_try"]), "next attempt", name)
        self.add("export", moment(row["next_try"]), "next attempt", name)
        self.add("why --json", facts["stage"] or facts["where"], "stage", name)
        self.add("export", row["stage"], "stage", name)
        self.add("why --json", sum(attempt["used"] for attempt in facts["attempts"]), "attempts", name)
        self.add("export", int(row["attempts"]), "attempts", name)
        self.add("why --json", sum(attempt["calls"] for attempt in facts["attempts"]), "calls", name)
        self.add("export", int(row["calls"]), "calls", name)
        if at := words(line.select_one(".of-next_try")):
            next_at = facts["next_try"] and datetime.fromisoformat(facts["next_try"])
            self.add("page claims", at, "time of the next attempt", name)
            self.add("why --json", ENGLISH.short_minute(next_at, self.now), "time of the next attempt", name)
