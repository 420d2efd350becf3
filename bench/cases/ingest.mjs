// SPDX-License-Identifier: LGPL-2.1-or-later
// What a publisher costs, beside GStreamer's elements alone.

import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

import { plain, upTo } from '../lib/numbers.mjs';
import { run } from '../lib/process.mjs';
import { load, startRelais } from '../lib/servers.mjs';

const ROUNDS = 3;
const MEGABYTES = 400;
const STREAMS = 20;

export async function ingest(context) {
  const tool = context.program('bench/bench-load');
  const file = path.join(context.folder, 'media.webm');
  const fd = openSync(file, 'w');
  await run(tool, ['media', `--megabytes=${MEGABYTES}`], { output: fd });
  closeSync(fd);

  const gst = (source) => ['gst-launch-1.0', '-q', ...source, '!', 'matroskademux', '!', 'matroskamux', 'streamable=true', '!', 'fakesink', 'sync=false'];
  const cpuOf = async (command) => JSON.parse((await run(tool, ['time', ...command])).trim().split('\n').at(-1)).cpu;
  const rounds = { bare: [], full: [], streaming: [], paced: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    // A first megabyte alone shows what starting costs.
    const empty = await cpuOf(gst(['filesrc', `location=${file}`, 'blocksize=31250', 'num-buffers=32']));
    const whole = await cpuOf(gst(['filesrc', `location=${file}`, 'blocksize=31250']));
    rounds.bare.push((whole - empty) / (MEGABYTES - 1) * 1000);

    let server = await startRelais(context);
    const full = await load(context, 'ingest', server, { megabytes: MEGABYTES });
    rounds.full.push((full.cpu / full.bytes) * 1e9);
    rounds.streaming.push((full.streamingCpu / full.bytes) * 1e9);
    await server.stop();

    server = await startRelais(context);
    const paced = await load(context, 'ingest', server, { streams: STREAMS, warmup: 1.5, seconds: 4 });
    rounds.paced.push({ perGb: (paced.cpu / paced.bytes) * 1e9, perStream: paced.cpu / paced.seconds / STREAMS });
    await server.stop();
  }
  return {
    title: 'Ingest: 2.5 Mb/s streams without viewers',
    rows: [
      upTo('CPU a byte, as fast as it goes: × gst-launch matroskademux ! matroskamux', rounds.full.map((cpu, i) => cpu / rounds.bare[i]), 1.3),
      plain('the streaming thread alone (demux, mux, unit): × gst-launch', rounds.streaming.map((cpu, i) => cpu / rounds.bare[i])),
      plain('CPU seconds a GB: gst-launch', rounds.bare),
      plain('CPU seconds a GB: relais, as fast as it goes', rounds.full),
      plain(`CPU seconds a GB: relais, ${STREAMS} streams at their own pace`, rounds.paced.map(({ perGb }) => perGb)),
      plain(`streams a core (from the CPU of ${STREAMS})`, rounds.paced.map(({ perStream }) => 1 / perStream)),
    ],
  };
}
