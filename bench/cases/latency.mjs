// SPDX-License-Identifier: LGPL-2.1-or-later
// From a chunk's last byte sent to its unit's arrival at viewers, as the kernel stamps it.

import { plain, short, upTo } from '../lib/numbers.mjs';
import { load, startRelais } from '../lib/servers.mjs';

const RING_MS = 4000; // as long as a viewer may lag
const MARKED = 100;
const ROUNDS = 3;

const times = ({ p50, p99, max }) => `${short(p50)} / ${short(p99)} / ${short(max)} ms`;

const best = (results, who) => results.map((result) => result[who]).sort((a, b) => a.p99 - b.p99)[0];

/** At 1, 100 and 400 viewers, without a reader that gets in the way. */
export async function latency(context) {
  const rows = [];
  for (const viewers of [1, MARKED, 400]) {
    const results = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const server = await startRelais(context);
      results.push(await load(context, 'fanout', server, { viewers, warmup: 1.5, seconds: 5, stamps: true }));
      await server.stop();
    }
    const pick = (who, share) => results.map((result) => result[who][share]);
    if (viewers === MARKED)
      rows.push(upTo(`${viewers} viewers, to the first: p50`, pick('first', 'p50'), 0.5, ' ms'),
        upTo(`${viewers} viewers, to the first: p99`, pick('first', 'p99'), 3, ' ms'),
        upTo(`${viewers} viewers, to every viewer: p50`, pick('all', 'p50'), 0.5, ' ms'),
        upTo(`${viewers} viewers, to every viewer: p99`, pick('all', 'p99'), 3, ' ms'));
    for (const [who, words] of [['first', 'the first'], ['all', 'every viewer']]) {
      if (viewers > 1 || who === 'first')
        rows.push(plain(`${viewers} viewers, to ${words}: p50 / p99 / max, best of ${ROUNDS} rounds`, times(best(results, who))));
    }
  }
  return { title: 'Chunk in → unit out, 2.5 Mb/s', rows };
}

/**
 * A quarter of the viewers stops reading. The ring is short, and full before it begins: with its default of 30 s it would grow all
 * the while, whoever reads, and hide what the stalled ones cost.
 */
export async function stall(context) {
  const results = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await startRelais(context, { 'ring-max-ms': RING_MS });
    results.push(await load(context, 'stall', server, { viewers: 400, joiners: 100, warmup: (1.5 * RING_MS) / 1000, seconds: 6, stamps: true }));
    await server.stop();
  }
  const MIB = 1024;
  const lost = results.reduce((sum, { unitsLost, gapsOfOthers, oddUnits }) => sum + unitsLost + gapsOfOthers + oddUnits, 0);
  return {
    title: '100 of 400 viewers stop reading',
    rows: [
      { what: 'units that the other 300 did not get', value: String(lost), mark: '0', passes: lost === 0 },
      upTo('their p99 latency: × of before', results.map(({ allBefore, allDuring }) => allDuring.p99 / allBefore.p99), 1.2),
      upTo('server memory grows by', results.map(({ memoryBefore, memoryDuring }) => (memoryDuring - memoryBefore) / MIB), 16, ' MiB'),
      upTo('and is above before by, once they read again', results.map(({ memoryBefore, memoryAfter }) => (memoryAfter - memoryBefore) / MIB), 1, ' MiB'),
      plain('`drop` messages to the 100', results.map(({ drops }) => drops)),
    ],
  };
}
