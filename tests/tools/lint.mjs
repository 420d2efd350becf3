// SPDX-License-Identifier: LGPL-2.1-or-later
// `./dev lint`: what a machine can check of the rules in CONTRIBUTING.md. Prints `file:line: what is wrong`; exit status 1 if any.

import { spawnSync } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(process.argv[2] ?? '.');
const complaints = [];
const complain = (file, line, text) => complaints.push(`${file}${line ? `:${line}` : ''}: ${text}`);

/* Rooms from the bottom up; a file may include its own room and those listed for it. */
const MAY_INCLUDE = {
  base: [],
  stream: ['base'],
  ingest: ['base', 'stream'],
  egress: ['base', 'stream'],
  http: ['base', 'stream', 'ingest', 'egress'],
  main: ['base', 'stream', 'ingest', 'egress', 'http'],
};
/* What a room may not know of the outside. */
const MAY_NOT_KNOW = {
  base: /^(gst\/|libsoup\/)/,
  stream: /^(libsoup\/|sys\/socket\.h|netinet\/|gio\/gsocket)/,
  http: /^gst\//,
};
const SPDX = 'SPDX-License-Identifier: LGPL-2.1-or-later';

function run(command, args)
{
  return spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 << 20 });
}

/* Tracked files and those that could be committed; without git (a tarball), everything but build directories. */
function listFiles()
{
  const git = run('git', ['-c', 'safe.directory=*', 'ls-files', '--cached', '--others', '--exclude-standard']);
  const names = git.status === 0 ? git.stdout.split('\n')
    : run('find', ['.', '(', '-name', 'build*', '-o', '-name', 'node_modules', ')', '-prune', '-o', '-type', 'f', '-print'])
      .stdout.split('\n').map((name) => name.replace(/^\.\//, ''));
  return names.filter((name) => name && existsSync(path.join(ROOT, name)));
}

function checkFormat(files)
{
  if (files.length === 0)
    return;
  const { status, stderr, error } = run('clang-format', ['--dry-run', '-Werror', ...files]);
  if (error)
    complain('clang-format', 0, error.message);
  else if (status !== 0)
    for (const file of new Set(stderr.split('\n').filter((text) => text.includes('error:')).map((text) => text.split(':')[0])))
      complain(file, 0, 'not laid out by clang-format (./dev format)');
}

function checkIncludes(file, text)
{
  const parts = file.split('/');
  const room = parts[0] === 'src' ? parts.length > 2 ? parts[1] : 'main' : undefined;
  const inPlugins = parts[0] === 'plugins';
  if (room === undefined && !inPlugins)
    return;
  text.split('\n').forEach((line, index) => {
    const match = /^\s*#\s*include\s+(["<])([^">]+)[">]/.exec(line);
    if (!match)
      return;
    const [, quote, name] = match;
    if (quote === '<') {
      if (room && MAY_NOT_KNOW[room]?.test(name))
        complain(file, index + 1, `src/${room} may not know <${name}>`);
      if (inPlugins && /^libsoup\//.test(name) && !/websocket/.test(file))
        complain(file, index + 1, 'plugins include GStreamer only');
      return;
    }
    if (name === 'config.h')
      return;
    const [folder, rest] = name.includes('/') ? name.split('/') : ['', name];
    if (inPlugins) {
      if (folder !== '' || !existsSync(path.join(ROOT, 'plugins', rest)))
        complain(file, index + 1, `plugins may not include "${name}" of src`);
    } else if (folder === '') {
      if (!existsSync(path.join(ROOT, path.dirname(file), rest)) && !existsSync(path.join(ROOT, 'plugins', rest)))
        complain(file, index + 1, `"${name}" is not in this room; write "room/${name}"`);
    } else if (folder !== room && !MAY_INCLUDE[room]?.includes(folder)) {
      complain(file, index + 1, `src/${room} may not include "${name}": includes point only downward`);
    }
  });
}

function checkLicence(file, text)
{
  const lines = text.split('\n', 2);
  const first = lines[0].startsWith('#!') ? lines[1] ?? '' : lines[0];
  if (!first.includes(SPDX))
    complain(file, 1, `the first line is not "${SPDX}"`);
}

function checkWords(file, text)
{
  const words = [
    [/(\/[/*]|#|\*)\s*(TODO|FIXME|XXX)\b/, 'unfinished work has no place in a commit'],
    [/^\s*#\s*if 0\b/, 'dead code'],
    [/(^|[\s"'=(])\/(work|root|home)\/\w/, 'a path of one machine'],
  ];
  text.split('\n').forEach((line, index) => {
    for (const [pattern, what] of words)
      if (pattern.test(line))
        complain(file, index + 1, what);
    if (/[ \t]$/.test(line))
      complain(file, index + 1, 'white space at the end of the line');
  });
}

function checkLock(file, text)
{
  text.split('\n').forEach((line, index) => {
    if (/"resolved"|registry\./.test(line))
      complain(file, index + 1, 'a lock file names no download address (omit-lockfile-registry-resolved)');
  });
}

const files = listFiles();
const isC = (file) => /\.[ch]$/.test(file);
const isScript = (file) => /\.(m?js)$/.test(file);
const isShell = (file) => /\.sh$/.test(file) || file === 'dev' || file === '.ci/run';

checkFormat(files.filter(isC));
for (const file of files) {
  if (/^tests\/data\/|^fuzzing\/corpus\/|\.(png|webm|mkv|mp4|ivf)$/.test(file))
    continue;
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  if (isC(file))
    checkIncludes(file, text);
  if (isC(file) || isScript(file) || isShell(file) || /\.css$/.test(file))
    checkLicence(file, text);
  if ((isC(file) || isScript(file) || isShell(file)) && file !== 'tests/tools/lint.mjs')
    checkWords(file, text);
  if (/package-lock\.json$/.test(file))
    checkLock(file, text);
  if (isScript(file)) {
    const { status, stderr } = run(process.execPath, ['--check', file]);
    if (status !== 0)
      complain(file, 0, stderr.trim());
  }
  if (isShell(file)) {
    const { status, stderr } = run('bash', ['-n', file]);
    if (status !== 0)
      complain(file, 0, stderr.trim());
  }
}

for (const complaint of complaints)
  console.log(complaint);
console.log(complaints.length === 0 ? `lint: ${files.length} files, nothing to complain of` : `lint: ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
