// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs the benchmarks, prints one table with the marks, and, when all of them ran, writes it to docs/BENCHMARKS.md.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { fanout, rates, threads } from './cases/fanout.mjs';
import { firstFrame, glass } from './cases/glass.mjs';
import { ingest } from './cases/ingest.mjs';
import { herd, joins } from './cases/joins.mjs';
import { latency, stall } from './cases/latency.mjs';
import { memory } from './cases/memory.mjs';
import { describeMachine, otherLoad } from './lib/machine.mjs';
import { stopAll } from './lib/process.mjs';
import { formatMarkdown, formatText } from './lib/report.mjs';

const CASES = { fanout, threads, rates, latency, stall, joins, herd, memory, ingest, glass, firstFrame };
const REPORT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'BENCHMARKS.md');

const [buildDir, ...names] = process.argv.slice(2);
const unknown = names.filter((name) => !(name in CASES));
if (!buildDir || unknown.length > 0) {
  console.error(`usage: ./dev bench [NAME...]\nnames: ${Object.keys(CASES).join(' ')}`);
  process.exit(64);
}

const folder = mkdtempSync(path.join(tmpdir(), 'relais-bench-'));
const context = {
  program: (name) => path.join(buildDir, name),
  folder,
  say: (text) => process.stderr.write(`${text}\n`),
};
const groups = [];
let failed = false;

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    stopAll();
    process.exit(130);
  });

const begun = Date.now();
try {
  for (const name of names.length > 0 ? names : Object.keys(CASES)) {
    context.say(`bench: ${name}`);
    try {
      const { result, busy } = await otherLoad(() => CASES[name](context));
      groups.push({ ...result, busy });
    } catch (error) {
      failed = true;
      context.say(`bench: ${name} failed: ${error.stack}`);
      groups.push({ title: name, rows: [{ what: `could not be measured: ${error.message.split('\n')[0]}`, value: '–' }] });
    }
  }
} finally {
  stopAll();
  rmSync(folder, { recursive: true, force: true });
}

const run = { machine: describeMachine(), date: new Date(), minutes: (Date.now() - begun) / 60_000, groups };
process.stdout.write(formatText(run));
if (names.length === 0)
  writeFileSync(REPORT, formatMarkdown(run));
process.exit(failed ? 1 : 0);
