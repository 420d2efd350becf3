// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the suites against one build directory and counts: `node run.mjs BUILDDIR [FILTER...]`, called by `./dev test`.
//
// C tests (unit, elements, fuzz, integration) run under meson and report TAP; the node tests (integration, browser, soak) run
// one process a file, one file after the other. One line a test case as it ends; the last line is `N passed, N failed, N skipped`.
// The exit status is 1 if a case failed or nothing ran.
//
// Environment: RELAIS_TEST_SLOWER multiplies every time limit (sanitizers, valgrind); RELAIS_TEST_WRAP is put before C tests;
// RELAIS_TEST_ALSO names verbs of ./dev that count as tests (compile-clang, lint). RELAIS_BINARY is set for the node tests.

import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, readdirSync, rmSync, existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TESTS = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const BUILD = path.resolve(process.argv[2] ?? 'build-test');
const FILTERS = process.argv.slice(3);
const SLOWER = Number(process.env.RELAIS_TEST_SLOWER ?? 1);
const LOGS = path.join(BUILD, 'test-logs');
const C_SUITES = ['unit', 'elements', 'fuzz', 'integration'];
const NODE_SUITES = ['integration', 'browser'];
const FILE_LIMIT_MS = 10 * 60 * 1000;
const MARK = '\u001e';

const counts = { pass: 0, fail: 0, skip: 0 };
const failures = [];

function record(suite, file, { name, status, ms, why }, log)
{
  counts[status]++;
  const where = `${suite}/${file}`;
  const time = ms === undefined ? '' : ` (${(ms / 1000).toFixed(2)} s)`;
  console.log(`${{ pass: 'ok  ', fail: 'FAIL', skip: 'skip' }[status]} ${where}: ${name}${time}`
    + (status === 'skip' ? ` # ${why}` : ''));
  if (status === 'fail') {
    failures.push({ where, name, log });
    if (why)
      console.log(why.trimEnd().split('\n').map((line) => `       ${line}`).join('\n'));
  }
}

const tail = (text, lines) => text.trimEnd().split('\n').slice(-lines).join('\n');

// --- verbs of ./dev that count as tests -------------------------------------------------------------------------------------------

function runVerb(verb)
{
  const begun = Date.now();
  const { status, stdout, stderr } = spawnSync('bash', [path.join(TESTS, '..', 'dev'), verb], { encoding: 'utf8' });
  record('dev', verb, { name: verb, status: status === 0 ? 'pass' : 'fail', ms: Date.now() - begun,
    why: status === 0 ? undefined : tail(stdout + stderr, 60) }, BUILD);
}

// --- meson ------------------------------------------------------------------------------------------------------------------------

/* One entry of meson's testlog.json → test cases. A program that failed although each of its cases passed (a leak found at exit, a
 * crash after the last one, a time limit) is one more case. */
function casesOfProgram(entry)
{
  const cases = [];
  for (const line of (entry.stdout ?? '').split('\n')) {
    const match = /^(not )?ok\b\s*\d*\s*(?:- )?(.*?)\s*(?:#\s*(SKIP|TODO)\b\s*(.*))?$/i.exec(line);
    if (!match)
      continue;
    const [, not, name, directive, reason] = match;
    cases.push({ name, status: directive ? 'skip' : not ? 'fail' : 'pass', why: directive ? reason || directive : undefined });
  }
  const good = ['OK', 'SKIP', 'EXPECTEDFAIL'].includes(entry.result);
  if (!good && !cases.some((one) => one.status === 'fail'))
    cases.push({ name: `${entry.result} (exit status ${entry.returncode})`, status: 'fail' });
  if (good && cases.length === 0)
    cases.push({ name: 'program', status: entry.result === 'SKIP' ? 'skip' : 'pass', why: 'the program says so' });
  const bad = cases.find((one) => one.status === 'fail');
  if (bad)
    bad.why = tail(`${entry.stdout ?? ''}\n${entry.stderr ?? ''}`, 60);
  return cases;
}

function mesonTests()
{
  const { status, stdout, stderr } = spawnSync('meson', ['introspect', '--tests', BUILD], { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`meson introspect: ${stderr}`);
  return JSON.parse(stdout).map(({ name, suite }) => ({ name, suite: (suite[0] ?? 'relais:unit').split(':').at(-1) }));
}

async function runMeson(suite, names)
{
  const log = path.join(LOGS, `meson-${suite}.log`);
  const args = ['test', '-C', BUILD, '--no-rebuild', '--num-processes', '2', '--timeout-multiplier', String(SLOWER)];
  if (process.env.RELAIS_TEST_WRAP)
    args.push(`--wrap=${process.env.RELAIS_TEST_WRAP}`);
  const json = path.join(BUILD, 'meson-logs', process.env.RELAIS_TEST_WRAP
    ? `testlog-${path.basename(process.env.RELAIS_TEST_WRAP.split(' ')[0])}.json` : 'testlog.json');
  rmSync(json, { force: true });
  const out = createWriteStream(log);
  const child = spawn('meson', [...args, ...names], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  const code = await new Promise((resolve) => child.on('close', resolve));
  out.end();
  const entries = existsSync(json) ? readFileSync(json, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
  for (const entry of entries) {
    const program = entry.name.split('/').at(-1).trim();
    const cases = casesOfProgram(entry);
    for (const one of cases)
      record(suite, program, { ms: cases.length === 1 ? entry.duration * 1000 : undefined, ...one }, log);
  }
  if (entries.length < names.length || (code !== 0 && failures.length === 0))
    record(suite, 'meson', { name: `meson test ended with ${code} after ${entries.length} of ${names.length} programs`,
      status: 'fail', why: tail(readFileSync(log, 'utf8'), 40) }, log);
}

// --- node -------------------------------------------------------------------------------------------------------------------------

async function runFile(suite, file, caseFilter)
{
  const label = path.basename(file, '.test.mjs');
  const log = path.join(LOGS, `${suite}-${label}.log`);
  const out = createWriteStream(log);
  const begun = Date.now();
  let seen = 0, failed = 0;
  const child = spawn(process.execPath, ['--test-reporter', path.join(TESTS, 'tools', 'reporter.mjs'),
    '--test-reporter-destination', 'stdout', file], {
    cwd: TESTS,
    detached: true,          // its own process group, so that a time limit takes browsers and servers with it
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RELAIS_BINARY: path.join(BUILD, 'src', 'relais'), RELAIS_BUILD: BUILD, RELAIS_TEST_OUT: LOGS,
      RELAIS_TEST_FILTER: caseFilter ?? '' },
  });
  const limit = Number(process.env.RELAIS_SOAK_MINUTES ?? 0) * 60000 + FILE_LIMIT_MS * SLOWER;
  let late = false;
  const watchdog = setTimeout(() => {
    late = true;
    process.kill(-child.pid, 'SIGKILL');
  }, limit);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const at = line.indexOf(MARK);
    out.write(`${line}\n`);
    if (at < 0)
      return;
    const event = JSON.parse(line.slice(at + 1));
    if (event.kind === 'note') {
      console.log(`     ${event.text}`);
      return;
    }
    seen++;
    if (event.status === 'fail')
      failed++;
    record(suite, label, event, log);
  });
  child.stderr.pipe(out, { end: false });
  const code = await new Promise((resolve) => child.on('close', (status, signal) => resolve(signal ?? status)));
  clearTimeout(watchdog);
  out.end();
  const ms = Date.now() - begun;
  if (late)
    record(suite, label, { name: `not done after ${limit / 1000} s`, status: 'fail', ms }, log);
  else if (code !== 0 && failed === 0)
    record(suite, label, { name: `the file ended with ${code}`, status: 'fail', ms, why: tail(readFileSync(log, 'utf8'), 40) }, log);
  else if (seen === 0 && !caseFilter)
    record(suite, label, { name: 'the file has no test', status: 'fail', ms }, log);
}

function nodeFiles(suite)
{
  const folder = path.join(TESTS, suite);
  if (!existsSync(folder))
    return [];
  return readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => path.join(folder, name));
}

// ----------------------------------------------------------------------------------------------------------------------------------

rmSync(LOGS, { recursive: true, force: true });
mkdirSync(LOGS, { recursive: true });

if (FILTERS.length === 0)
  for (const verb of (process.env.RELAIS_TEST_ALSO ?? '').split(',').filter(Boolean))
    runVerb(verb);

const tests = mesonTests();
const files = [...NODE_SUITES, ...FILTERS.includes('soak') ? ['soak'] : []]
  .flatMap((suite) => nodeFiles(suite).map((file) => ({ suite, file, name: path.basename(file, '.test.mjs') })));

/* A filter names a suite, or is a part of a program's or file's name; one that is neither is looked for in the cases of all files. */
const chooses = (filter, { suite, name }) => filter === suite || name.toLowerCase().includes(filter.toLowerCase());
const chosen = (one) => FILTERS.length === 0 || FILTERS.some((filter) => chooses(filter, one));
const caseFilters = FILTERS.filter((filter) => ![...tests, ...files].some((one) => chooses(filter, one)));

for (const suite of [...C_SUITES, ...new Set(tests.map((one) => one.suite).filter((name) => !C_SUITES.includes(name)))]) {
  const names = tests.filter((one) => one.suite === suite && chosen(one)).map(({ name }) => name);
  if (names.length > 0)
    await runMeson(suite, names);
}
for (const one of files) {
  if (chosen(one))
    await runFile(one.suite, one.file);
  else if (caseFilters.length > 0)
    await runFile(one.suite, one.file, caseFilters.join('\n'));
}

if (failures.length > 0) {
  console.log('\nfailed:');
  for (const { where, name, log } of failures)
    console.log(`  ${where}: ${name}\n    log: ${log}`);
}
const total = counts.pass + counts.fail + counts.skip;
if (total === 0)
  console.log(FILTERS.length > 0 ? `no test matches ${FILTERS.join(' ')}` : 'nothing ran');
console.log(`${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped`);
process.exitCode = counts.fail > 0 || counts.pass === 0 ? 1 : 0;
