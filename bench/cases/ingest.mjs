// SPDX-License-Identifier: LGPL-2.1-or-later
// What a publisher costs, beside GStreamer's elements alone.

import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

import { plain, upTo } from '../lib/numbers.mjs';
import { run } from '../lib/process.mjs';
import { load, startRelais } from '../lib/servers.mjs';

/** Of relais and the peer of its mark, right after each other: one round differs from the next by a fifth. */
const ROUNDS = 15;
/** Of everything else. */
const OTHER_ROUNDS = 3;
/** So many that what starting and a ring that is not full yet cost does not show. */
const MEGABYTES = 1000;
const STREAMS = 20;
const CHUNK_BYTES = 31_250;

/**
 * As fast as it goes, beside GStreamer's elements alone: with the same bytes from a TCP connection, in pieces as large as relais's
 * chunks; and with a file. A demuxer that has a file reads from it as it likes, which costs less than being pushed to, but no
 * live stream can be had so.
 */
export async function ingest(context) {
  const tool = context.program('bench/bench-load');
  const file = path.join(context.folder, 'media.webm');
  const fd = openSync(file, 'w');
  await run(tool, ['media', `--megabytes=${MEGABYTES}`], { output: fd });
  closeSync(fd);

  const demuxAndMux = ['matroskademux', '!', 'matroskamux', 'streamable=true', '!', 'fakesink', 'sync=false'];
  const launch = (...source) => ['gst-launch-1.0', '-q', ...source, '!', ...demuxAndMux];
  const fromSocket = ['fdsrc', 'fd=0', `blocksize=${CHUNK_BYTES}`];
  const contenders = {
    socket: (megabytes) => ['feed', megabytes, ...launch(...fromSocket)],
    queue: (megabytes) => ['feed', megabytes, ...launch(...fromSocket, '!', 'queue', 'max-size-buffers=0', 'max-size-time=0', 'max-size-bytes=16777216')],
    file: (megabytes) => ['time', ...launch('filesrc', `location=${file}`, `blocksize=${CHUNK_BYTES}`, `num-buffers=${Math.ceil((megabytes * 1e6) / CHUNK_BYTES)}`)],
  };
  const cpuOf = async (command) => JSON.parse((await run(tool, command.map(String))).trim().split('\n').at(-1)).cpu;
  // A first megabyte alone shows what starting costs.
  const perGbOf = async (command) => ((await cpuOf(command(MEGABYTES))) - (await cpuOf(command(1)))) / (MEGABYTES - 1) * 1000;

  const rounds = { socket: [], queue: [], file: [], full: [], paced: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.socket.push(await perGbOf(contenders.socket));
    const server = await startRelais(context);
    const full = await load(context, 'ingest', server, { megabytes: MEGABYTES });
    rounds.full.push((full.cpu / full.bytes) * 1e9);
    await server.stop();
  }
  for (let round = 0; round < OTHER_ROUNDS; round += 1) {
    rounds.queue.push(await perGbOf(contenders.queue));
    rounds.file.push(await perGbOf(contenders.file));
    const server = await startRelais(context);
    const paced = await load(context, 'ingest', server, { streams: STREAMS, warmup: 1.5, seconds: 4 });
    rounds.paced.push({ perGb: (paced.cpu / paced.bytes) * 1e9, perStream: paced.cpu / paced.seconds / STREAMS });
    await server.stop();
  }
  const over = (ours, theirs) => rounds[theirs].map((cpu, round) => rounds[ours][round] / cpu);
  return {
    title: 'Ingest: 2.5 Mb/s streams without viewers',
    rows: [
      upTo('CPU a byte, as fast as it goes: × gst-launch fdsrc (TCP) ! matroskademux ! matroskamux', over('full', 'socket'), 1.3),
      plain('the same × with a queue behind fdsrc: two threads', over('full', 'queue')),
      plain('the same × with filesrc, from which matroskademux pulls: no socket, no stream', over('full', 'file')),
      plain('CPU seconds a GB: gst-launch, fdsrc (TCP)', rounds.socket),
      plain('CPU seconds a GB: gst-launch, fdsrc (TCP) and a queue', rounds.queue),
      plain('CPU seconds a GB: gst-launch, filesrc', rounds.file),
      plain('CPU seconds a GB: relais, as fast as it goes', rounds.full),
      plain(`CPU seconds a GB: relais, ${STREAMS} streams at their own pace`, rounds.paced.map(({ perGb }) => perGb)),
      plain(`streams a core (from the CPU of ${STREAMS})`, rounds.paced.map(({ perStream }) => 1 / perStream)),
    ],
    notes: [
      'What relais does beyond gst-launch with fdsrc: it unmasks the WebSocket’s payload (RFC 6455 leaves no choice), reads the head of',
      'every frame’s bitstream, and copies each unit once into the frame that all viewers share and that the ring keeps for 30 s.',
    ],
  };
}
