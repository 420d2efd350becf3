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

const SAMPLE_MS = 500;

/* Threads that run or want to, without the one that asks. */
function countRunnable() {
  return Number(/^\S+ \S+ \S+ (\d+)/.exec(readFileSync('/proc/loadavg', 'utf8'))[1]) - 1;
}

/**
 * Runs something and tells how busy the machine was meanwhile: runnable threads on average. More than there are cores means
 * that what was measured had to wait for a core.
 */
export async function otherLoad(task) {
  const samples = [];
  const timer = setInterval(() => samples.push(countRunnable()), SAMPLE_MS);
  try {
    const result = await task();
    return { result, busy: samples.reduce((sum, n) => sum + n, 0) / Math.max(samples.length, 1) };
  } finally {
    clearInterval(timer);
  }
}
