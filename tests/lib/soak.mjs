// SPDX-License-Identifier: LGPL-2.1-or-later
// A long broadcast: a real Chromium sends, a real Chromium watches, and at the end everything is as it was at the beginning: the latency,
// the memory of page and server, and what the server holds open. The long form is `./dev soak`; a short one runs with the browsers' tests.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as passes } from 'node:timers/promises';

import { launch } from './browser.mjs';
import { broadcast } from './pages.mjs';
import { letGoOfMemory, startServer } from './server.mjs';
import { witness } from './witness.mjs';

const MIB = 1024;          // in KiB, as the kernel counts

/* Resident memory of a process and all its descendants in KiB: browsers are many processes. */
function residentOfTree(root) {
  const parents = new Map(), resident = new Map();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry))
      continue;
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      parents.set(Number(entry), Number(/^PPid:\s+(\d+)/m.exec(status)[1]));
      resident.set(Number(entry), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended meanwhile.
    }
  }
  let sum = 0;
  for (const pid of parents.keys()) {
    let at = pid;
    while (at !== undefined && at !== root && at > 1)
      at = parents.get(at);
    if (at === root)
      sum += resident.get(pid);
  }
  return sum;
}

const median = (values) => [...values].sort((one, two) => one - two)[Math.floor(values.length / 2)];

/**
 * Broadcasts for `seconds`, looking `samples` times. The first fifth is left out of the comparison: caches fill, decoders settle. Resolves
 * with the samples; throws where something has grown. `say` gets a line now and then.
 */
export async function soak({ seconds, samples, say }) {
  const server = await startServer({ logLevel: 'info', env: letGoOfMemory() });
  const [sends, watches] = [await launch('chromium'), await launch('chromium')];
  try {
    const source = await broadcast(sends, server, 'soak');
    const page = await witness(watches, server, 'soak', 'chromium');
    await page.survives('start');
    await page.mark();
    const taken = [];
    const begun = performance.now();
    for (let index = 0; index < samples; index++) {
      await passes(Math.max(0, (index + 1) * seconds * 1000 / samples - (performance.now() - begun)));
      const stats = await page.stats;
      const buffered = stats.buffered.reduce((sum, [start, end]) => sum + end - start, 0);
      taken.push({ ...stats, buffered, heap: await page.evaluate(() => performance.memory.usedJSHeapSize / 1024),
        browser: residentOfTree(watches.process().pid), broadcaster: residentOfTree(sends.process().pid), server: server.usage() });
      const { latency, targetLatency, heap, browser, broadcaster, server: { anonymous, descriptors } } = taken.at(-1);
      if (index % Math.ceil(samples / 20) === 0 || index === samples - 1)
        say(`${Math.round((performance.now() - begun) / 1000)} s: latency ${latency.toFixed(2)} s (target ${targetLatency.toFixed(2)} s), `
          + `${buffered.toFixed(0)} s buffered, ${stats.stalls} stalls, ${stats.jumps} jumps; in MiB: page heap ${(heap / MIB).toFixed(1)}, `
          + `browser ${(browser / MIB).toFixed(0)}, broadcaster ${(broadcaster / MIB).toFixed(0)}, server ${(anonymous / MIB).toFixed(1)}; ${descriptors} descriptors`);
    }
    const seen = await page.survives('the soak');
    say(seen.line);
    // Played without a break: as much as has passed, less what stalls and jumps took.
    const settled = taken.slice(Math.ceil(taken.length / 5));
    const third = Math.ceil(settled.length / 3);
    const [early, late] = [settled.slice(0, third), settled.slice(-third)];
    const both = (pick) => [median(early.map(pick)), median(late.map(pick))];
    const flat = (what, pick, more) => {
      const [one, two] = both(pick);
      assert.ok(two - one <= more, `${what} grew from ${one} to ${two}`);
    };
    // Where the machine is busy elsewhere media arrives unevenly, and the latency follows that on purpose.
    flat('the latency beyond the arrival jitter (s)', (one) => one.latency - one.jitter, 0.35);
    flat('media buffered in the page (s)', (one) => one.buffered, 10);
    flat('the page\'s heap (KiB)', (one) => one.heap, 8 * MIB);
    flat('the watching browser (KiB)', (one) => one.browser, 80 * MIB);
    flat('the server (KiB)', (one) => one.server.anonymous, 8 * MIB);
    flat('descriptors of the server', (one) => one.server.descriptors, 0);
    assert.ok(taken.every((one) => one.buffered < 45), 'the buffer of the page is bounded');
    assert.equal(seen.stats.reconnects, 0);
    assert.equal(seen.stats.rebuilds, 0);
    await page.close();
    source.clean();
    await source.close();
    return taken;
  } finally {
    await sends.close();
    await watches.close();
    await server.stop();
  }
}
