"""Asks a Prometheus every question of Grafana's dashboard: each has an answer, and none of them is empty."""

import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parents[2]
dashboard = json.loads((root / "deploy/grafana/dashboards/signet.json").read_text())
questions = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
wrong = []
for title, question in questions:
    url = f"{sys.argv[1]}/api/v1/query?" + urllib.parse.urlencode({"query": question})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            if not json.load(answer)["data"]["result"]:
                wrong.append(f"{title}: no data: {question}")
    except urllib.error.HTTPError as error:
        wrong.append(f"{title}: {error.read().decode()}")
print("\n".join(wrong) or f"{len(questions)} questions of {len(dashboard['panels'])} panels")
sys.exit(bool(wrong))
