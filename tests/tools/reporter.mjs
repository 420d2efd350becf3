// SPDX-License-Identifier: LGPL-2.1-or-later
// A reporter for node's test runner that tests/tools/run.mjs reads: one record a line, told from a test's own output by the
// record separator (U+001E) in front of it.

const MARK = '\u001e';

function describe(error)
{
  const cause = error?.cause ?? error;
  if (cause === undefined || cause === null)
    return undefined;
  return typeof cause === 'string' ? cause : cause.stack ?? cause.message ?? String(cause);
}

export default async function* report(source)
{
  for await (const { type, data } of source) {
    if (type === 'test:pass' || type === 'test:fail') {
      // A suite is reported by the tests in it. A file is a test of its own in some versions of node: not for us.
      if (data.details?.type === 'suite' || data.name === data.file)
        continue;
      const skipped = data.skip !== undefined && data.skip !== false;
      yield MARK + JSON.stringify({
        kind: 'case',
        name: data.name,
        status: skipped ? 'skip' : type === 'test:pass' ? 'pass' : 'fail',
        ms: Math.round(data.details?.duration_ms ?? 0),
        why: skipped ? String(data.skip) : type === 'test:fail' ? describe(data.details?.error) : undefined,
      }) + '\n';
    } else if (type === 'test:diagnostic' && !/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message)) {
      yield MARK + JSON.stringify({ kind: 'note', text: data.message }) + '\n';
    }
  }
}
