// SPDX-License-Identifier: LGPL-2.1-or-later
// The table, as text for the terminal and as Markdown for the documentation.

function verdict({ passes }) {
  return passes === undefined ? '' : passes ? 'pass' : 'MISS';
}

function busyness(busy) {
  return busy === undefined ? '' : ` (runnable threads meanwhile: ${busy.toFixed(1)})`;
}

function head({ machine, date, minutes }) {
  return `${date.toISOString().slice(0, 10)}, ${machine.cpu}, ${machine.memory}, ${machine.kernel}; ${minutes.toFixed(0)} minutes`;
}

export function formatText(run) {
  const rows = run.groups.flatMap((group) => group.rows);
  const widths = ['what', 'value', 'mark'].map((key) => Math.max(...rows.map((row) => (row[key] ?? '').length)));
  const lines = [`\n${head(run)}`];
  for (const { title, rows: list, notes = [], busy } of run.groups) {
    lines.push(`\n${title}${busyness(busy)}`);
    for (const row of list)
      lines.push(`  ${row.what.padEnd(widths[0])}  ${row.value.padEnd(widths[1])}  ${(row.mark ?? '').padEnd(widths[2])}  ${verdict(row)}`.trimEnd());
    for (const note of notes)
      lines.push(`  ${note}`);
  }
  return `${lines.join('\n')}\n`;
}

export function formatMarkdown(run) {
  const lines = [
    '# Benchmarks',
    '',
    '`./dev bench` wrote this page. Server and load share one machine, everything goes over the loopback device, and each pair is',
    'measured in turns (A B A B …): a ratio is the median of the rounds’ ratios, and the lowest and the highest round stand behind it. CPU',
    'is user and system time of the server’s process. Where more threads were runnable than there are cores, others used the machine',
    'too: then times in milliseconds say little, and ratios of CPU time still hold.',
    '',
    `Measured ${head(run)}.`,
  ];
  for (const { title, rows, notes = [], busy } of run.groups) {
    lines.push('', `## ${title}`, '', `Runnable threads meanwhile: ${busy?.toFixed(1) ?? '–'}.`, '', '| what | measured | mark | |', '| --- | --- | --- | --- |');
    for (const row of rows)
      lines.push(`| ${row.what} | ${row.value} | ${row.mark ?? ''} | ${verdict(row)} |`);
    if (notes.length > 0)
      lines.push('', ...notes);
  }
  return `${lines.join('\n')}\n`;
}
