import type { QueryClient } from '@tanstack/react-query';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { isReading } from '@/lib/api/readings';
import type { RunRequest } from '@/lib/api/schemas';
import type { SweepRequestInput } from '@/lib/api/sweeps';
import { wireOf } from '@/lib/api/wire';

/** One Python program that asks a server for every number of a page again: it needs nothing but Python and the models. */

export interface Reproduced {
  /** The runs of the page, by id, as they were asked for. */
  readonly runs: Readonly<Record<string, RunRequest>>;
  readonly readings: readonly { readonly run: string; readonly name: string; readonly path: string }[];
  /** Batches and tests, by what the page calls them. */
  readonly analyses: Readonly<Record<string, AnalysisRequestInput>>;
  /** Tests over examples, by name. */
  readonly sweeps: Readonly<Record<string, SweepRequestInput>>;
  /** Where the server was. */
  readonly server: string;
}

/** What is drawn small is no number that anybody reads. */
const PICTURES = new Set(['thumbnails']);

/** Every reading of these runs that something on the page shows now, as it was asked for; names tell them apart. */
export function readingsShown(queries: QueryClient, runs: readonly string[]): Reproduced['readings'] {
  const found = queries
    .getQueryCache()
    .findAll({ type: 'active' })
    .flatMap(({ queryKey, state }) => {
      const [name, run, query] = queryKey as [string, string, Record<string, unknown>];
      if (!isReading(name) || PICTURES.has(name) || !runs.includes(run) || state.status !== 'success') return [];
      const search = new URLSearchParams(wireOf(query));
      return [{ run, name, path: search.size > 0 ? `${name}?${search}` : name }];
    });
  const once = [...new Map(found.map((one) => [`${one.run} ${one.path}`, one])).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  return once.map((one, k) => ({ ...one, name: `${String(k).padStart(2, '0')}-${one.name}` }));
}

/** JSON as a text of Python that reads it: a JSON string is one of Python's, too. */
const literal = (value: unknown): string => `json.loads(${JSON.stringify(JSON.stringify(value))})`;

export function reproduceProgram({ runs, readings, analyses, sweeps, server }: Reproduced): string {
  return `"""Makes every number of a page of Statescope again.

python3 reproduce.py [SERVER [FOLDER]]: asks SERVER (${server}) for the same runs, readings and
analyses, and writes each into FOLDER (numbers): JSON as it is, tensors as safetensors. index.json
names what each file is. STATESCOPE_TOKEN is sent where the server asks for a token.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SERVER = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else ${JSON.stringify(server)}
FOLDER = Path(sys.argv[2] if len(sys.argv) > 2 else "numbers")

RUNS = ${literal(runs)}
READINGS = ${literal(readings)}
ANALYSES = ${literal(analyses)}
SWEEPS = ${literal(sweeps)}


def ask(path, body=None):
    request = urllib.request.Request(f"{SERVER}/api/{path}", None if body is None else json.dumps(body).encode())
    if body is not None:
        request.add_header("content-type", "application/json")
    if os.environ.get("STATESCOPE_TOKEN"):
        request.add_header("authorization", f"Bearer {os.environ['STATESCOPE_TOKEN']}")
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.headers.get_content_type() == "application/json", reply.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.read().decode()}")


def ended(kind, body):
    """Asks for a run, an analysis or a sweep and waits for its end."""
    path = f"{kind}/{json.loads(ask(kind, body)[1])['id']}"
    while True:
        found = json.loads(ask(path)[1])
        if found["state"] == "done":
            return path, found
        if found["state"] not in ("queued", "running", "open"):
            sys.exit(f"{path} ended as {found['state']}: {found.get('error') or found.get('failed')}")
        time.sleep(0.2)


def save(name, about, is_json, data):
    file = f"{name}.{'json' if is_json else 'safetensors'}"
    (FOLDER / file).write_bytes(data)
    index[file] = about


FOLDER.mkdir(parents=True, exist_ok=True)
index = {}
made = {run: ended("runs", request)[0] for run, request in RUNS.items()}
for reading in READINGS:
    save(reading["name"], reading, *ask(f"{made[reading['run']]}/{reading['path']}"))
for kind, asked in (("analyses", ANALYSES), ("sweeps", SWEEPS)):
    for name, request in asked.items():
        path, found = ended(kind, request)
        save(name, {"request": request}, True, json.dumps(found["result"]).encode())
(FOLDER / "index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
print(f"{len(index)} files in {FOLDER}")
`;
}
