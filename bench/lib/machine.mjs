// SPDX-License-Identifier: LGPL-2.1-or-later

import { readFileSync } from 'node:fs';

const field = (text, name) => new RegExp(`^${name}\\s*:\\s*(.+)$`, 'm').exec(text)?.[1];

/** The machine in words, from /proc. */
export function describeMachine() {
  const cpu = readFileSync('/proc/cpuinfo', 'utf8');
  const cores = cpu.match(/^processor\s*:/gm)?.length ?? 0;
  const memory = Number(field(readFileSync('/proc/meminfo', 'utf8'), 'MemTotal')?.split(' ')[0]);
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return {
    cpu: `${field(cpu, 'model name') ?? 'unknown CPU'}, ${cores} cores`,
    memory: `${(memory / 1024 / 1024).toFixed(1)} GiB`,
    kernel: `Linux ${kernel}`,
  };
}

/** How many processes wanted a core over the last minute: what runs beside a benchmark spoils it. */
export function loadAverage() {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
}
