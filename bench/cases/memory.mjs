// SPDX-License-Identifier: LGPL-2.1-or-later
// What a viewer and a stream cost: anonymous memory of the server's process.

import { plain, upTo } from '../lib/numbers.mjs';
import { load, startRelais } from '../lib/servers.mjs';

const VIEWERS = 1000;
const STREAMS = 10;
const RING_MIB = 4;

export async function memory(context) {
  let server = await startRelais(context, { 'ring-max-bytes': 1024 * 1024 });
  // First a warm-up: what the first thousand connections leave in the allocator's pools belongs to no viewer.
  await load(context, 'memory', server, { viewers: VIEWERS, unitBytes: 2000, warmup: 1, seconds: 1, publish: '/publish/warm', watch: '/live/warm' });
  const viewers = await load(context, 'memory', server, { viewers: VIEWERS, unitBytes: 2000, warmup: 3, seconds: 2 });
  await server.stop();

  server = await startRelais(context);
  const cold = await load(context, 'memory', server, { viewers: VIEWERS, unitBytes: 2000, warmup: 3, seconds: 2 });
  await server.stop();

  server = await startRelais(context, { 'ring-max-bytes': RING_MIB * 1024 * 1024 });
  const streams = await load(context, 'ingest', server, { streams: STREAMS, megabytes: RING_MIB * 3 });
  await server.stop();

  const aViewer = ({ before, with: all }) => (all - before) / VIEWERS;
  return {
    title: 'Memory in user space',
    rows: [
      upTo(`a WebSocket viewer (of ${VIEWERS}, in a fresh process)`, aViewer(cold), 8, ' KiB'),
      plain(`a WebSocket viewer (the second ${VIEWERS})`, aViewer(viewers), ' KiB'),
      plain('left after they went (fresh process)', (cold.after - cold.before) / 1024, ' MiB'),
      upTo(`a stream with a full ring of ${RING_MIB} MiB (of ${STREAMS}): above the ring`,
        (streams.memoryWith - streams.memoryBefore) / STREAMS / 1024 - RING_MIB, 1, ' MiB'),
      plain(`left after the ${STREAMS} publishers went (they may come back)`, (streams.memoryAfter - streams.memoryBefore) / 1024, ' MiB'),
    ],
  };
}
