// SPDX-License-Identifier: LGPL-2.1-or-later
// One stream to many: CPU for each byte that arrives.

import { availableParallelism } from 'node:os';

import { median, plain, short, upTo } from '../lib/numbers.mjs';
import { icecastVersion, load, startFloor, startIcecast, startRelais, startSoup } from '../lib/servers.mjs';

const ROUNDS = 5;
/** Of relais and the floor alone: their ratio is near its mark, and one round differs from the next by a tenth. */
const PAIR_ROUNDS = 11;
const VIEWERS = 400;
const UNIT_BYTES = 31_250;
const SMALL_UNIT_BYTES = 6250;

/** Measures each contender once, in turn, `rounds` times: a list of results for each name. */
async function inTurns(contenders, rounds, measure) {
  const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, start] of Object.entries(contenders)) {
      const server = await start();
      results[name].push(await measure(server));
      await server.stop();
    }
  }
  return results;
}

const perGb = ({ cpu, bytes }) => (cpu / bytes) * 1e9;
const perViewer = ({ cpu, seconds }, viewers) => cpu / seconds / viewers;
const ratios = (ours, theirs) => ours.map((result, round) => perGb(result) / perGb(theirs[round]));
const lowest = (results, key) => Math.min(...results.map((result) => result[key]));

/**
 * Against the raw floor, libsoup and Icecast. The same bytes cost more CPU on several cores than on one, so relais meets
 * the floor with as many threads as it has itself; and once more, and libsoup, with one thread each.
 */
export async function fanout(context) {
  const version = await icecastVersion();
  const all = availableParallelism();
  const pair = {
    floor: () => startFloor(context, { unitBytes: UNIT_BYTES, threads: all }),
    relais: () => startRelais(context, { 'sender-threads': all }),
  };
  const contenders = {
    ...pair,
    floorOne: () => startFloor(context, { unitBytes: UNIT_BYTES, threads: 1 }),
    relaisOne: () => startRelais(context, { 'sender-threads': 1 }),
    soup: () => startSoup(context, { unitBytes: UNIT_BYTES }),
    deep: () => startFloor(context, { unitBytes: UNIT_BYTES, threads: all, unsentBytes: 0 }),
    ...(version && { icecast: () => startIcecast(context) }),
  };
  const measure = (server) => load(context, 'fanout', server, { viewers: VIEWERS, unitBytes: UNIT_BYTES, warmup: 1, seconds: 4 });
  const close = await inTurns(pair, PAIR_ROUNDS, measure);
  const results = await inTurns(contenders, ROUNDS, measure);
  const expected = VIEWERS * UNIT_BYTES * 10;
  const delivered = (list) => short(100 * median(list.map(({ bytes, seconds }) => bytes / seconds / expected)));

  const rows = [
    upTo(`relais, CPU a GB: × the raw floor, ${all} threads each`, ratios(close.relais, close.floor), 1.1),
    plain('of that, its sender threads alone, without the publisher’s side', ratios(close.relais.map(({ sendersCpu, bytes }) => ({ cpu: sendersCpu, bytes })), close.floor)),
    plain('the same, 1 thread each', ratios(results.relaisOne, results.floorOne)),
    plain(`the same, relais with ${all} threads, the floor with 1`, ratios(results.relais, results.floorOne)),
    version
      ? upTo(`relais, CPU a GB: × ${version}`, ratios(results.relais, results.icecast), 0.35)
      : { what: 'relais, CPU a GB: × Icecast', value: 'not installed', mark: '≤ 0.35' },
    plain('relais, CPU a GB: × libsoup’s send_binary, 1 thread each', ratios(results.relaisOne, results.soup)),
    plain('raw floor: without TCP_NOTSENT_LOWAT × with', ratios(results.deep, results.floor)),
    plain(`CPU seconds a GB: raw floor, ${all} threads`, close.floor.map(perGb)),
    plain('CPU seconds a GB: raw floor, 1 thread', results.floorOne.map(perGb)),
    plain(`CPU seconds a GB: relais, ${all} threads`, close.relais.map(perGb)),
    plain('CPU seconds a GB: relais, 1 thread', results.relaisOne.map(perGb)),
    plain('CPU seconds a GB: libsoup', results.soup.map(perGb)),
  ];
  if (version)
    rows.push(plain(`CPU seconds a GB: ${version}`, results.icecast.map(perGb)),
      plain('viewers that got anything: relais, Icecast', `${lowest(results.relais, 'served')}, ${lowest(results.icecast, 'served')} of ${VIEWERS}`),
      plain('of the stream’s bytes arrived: floor, relais, libsoup, Icecast',
        `${delivered(results.floor)} %, ${delivered(results.relais)} %, ${delivered(results.soup)} %, ${delivered(results.icecast)} %`));
  return { title: `Fan-out: ${VIEWERS} viewers of one 2.5 Mb/s stream (31 KB units, 10 a second)`, rows };
}

/** With one and two sender threads. */
export async function threads(context) {
  const contenders = {
    one: () => startRelais(context, { 'sender-threads': 1 }),
    two: () => startRelais(context, { 'sender-threads': 2 }),
  };
  const measure = (server) => load(context, 'fanout', server, { viewers: VIEWERS, unitBytes: UNIT_BYTES, warmup: 1, seconds: 3, stamps: true });
  const { one, two } = await inTurns(contenders, 3, measure);
  return {
    title: `Sender threads: ${VIEWERS} viewers at 2.5 Mb/s`,
    rows: [
      plain('CPU a GB: two × one', ratios(two, one)),
      plain('chunk in → unit out to every viewer, median: one', one.map(({ all }) => all.p50), ' ms'),
      plain('chunk in → unit out to every viewer, median: two', two.map(({ all }) => all.p50), ' ms'),
    ],
  };
}

/** What one core could serve. */
export async function rates(context) {
  const rows = [];
  for (const [name, unitBytes, viewers] of [['2.5 Mb/s', UNIT_BYTES, VIEWERS], ['500 kb/s', SMALL_UNIT_BYTES, 1000]]) {
    const { relais } = await inTurns({ relais: () => startRelais(context) }, 3,
      (server) => load(context, 'fanout', server, { viewers, unitBytes, warmup: 1, seconds: 3 }));
    rows.push(plain(`viewers a core at ${name} (from the CPU of ${viewers})`, relais.map((result) => 1 / perViewer(result, viewers))),
      plain(`CPU seconds a GB at ${name}`, relais.map(perGb)));
  }
  return { title: 'Viewers a core', rows };
}
