// SPDX-License-Identifier: LGPL-2.1-or-later
// How soon who joins has something to show.

import { plain, short, upTo } from '../lib/numbers.mjs';
import { load, startRelais } from '../lib/servers.mjs';

async function rounds(context, scenario, options, n) {
  const results = [];
  for (let round = 0; round < n; round += 1) {
    const server = await startRelais(context);
    results.push(await load(context, scenario, server, options));
    await server.stop();
  }
  return results;
}

/** Late joiners, one at a time. */
export async function joins(context) {
  const results = await rounds(context, 'joins', { viewers: 10, joiners: 150, warmup: 2.5 }, 3);
  const missing = results.reduce((sum, { missing: n }) => sum + n, 0);
  return {
    title: 'A late joiner alone (450 joins)',
    rows: [
      upTo('handshake’s answer → init segment, p99', results.map(({ init }) => init.p99), 5, ' ms'),
      upTo('handshake’s answer → keyframe, p99', results.map(({ keyframe }) => keyframe.p99), 5, ' ms'),
      plain('connect → keyframe, median', results.map(({ connectToKeyframe }) => connectToKeyframe.p50), ' ms'),
      plain('connect → keyframe, p99', results.map(({ connectToKeyframe }) => connectToKeyframe.p99), ' ms'),
      plain('connect → keyframe, worst', results.map(({ connectToKeyframe }) => connectToKeyframe.max), ' ms'),
      { what: 'joiners without media', value: String(missing), mark: '0', passes: missing === 0 },
    ],
  };
}

/** A thousand at once. */
export async function herd(context) {
  const results = await rounds(context, 'herd', { viewers: 50, joiners: 1000, warmup: 3, seconds: 1, stamps: true }, 3);
  const refused = results.reduce((sum, { failed, missing }) => sum + failed + missing, 0);
  const times = ({ p50, p99, max }) => `${short(p50)} / ${short(p99)} / ${short(max)} ms`;
  return {
    title: 'A herd: 1,000 viewers connect in the same instant',
    rows: [
      upTo('connect → keyframe’s first byte, worst', results.map(({ keyframe }) => keyframe.max), 1000, ' ms'),
      { what: 'refused, or without media', value: String(refused), mark: '0', passes: refused === 0 },
      plain('connect → handshake’s answer, p50 / p99 / max', times(results.at(-1).open)),
      plain('connect → keyframe, p50 / p99 / max', times(results.at(-1).keyframe)),
    ],
  };
}
