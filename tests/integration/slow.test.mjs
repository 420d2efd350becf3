// SPDX-License-Identifier: LGPL-2.1-or-later
// Viewers that are slow, stuck or gone without a word: they lose their place or their connection, and nobody else anything.

import assert from 'node:assert/strict';

import { generate } from '../lib/captures.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { letGoOfMemory, startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

/* Far more than the sockets between two processes hold: 10 s of noise at some 17 Mb/s, a keyframe every half second. */
const heavy = shared(() => generate({ size: '400x300', audio: 'opus', seconds: 10, rate: 20, gop: 10,
  extra: ['-vf', 'noise=alls=100:allf=t', '-b:v', '40M', '-qmin', '2', '-qmax', '12'] }), () => {});

/* Publishes chunks, each when the viewer that keeps up has what came before it: what is dropped is only ever the slow viewer's. */
async function pour(publisher, capture, keepsUp, { from = 0, to } = {}) {
  let sent = 0;
  const before = keepsUp.bytes;
  await publisher.replay(capture, { from, to, each: async (index) => {
    await keepsUp.until(() => keepsUp.bytes - before > sent - 300_000, 'the viewer that keeps up');
    sent += capture.chunks[index].data.length;
  } });
}

test('a viewer that falls behind is moved to the newest keyframe and told; the others lose nothing', { limit: 240_000 }, async (t) => {
  const capture = await heavy();
  assert.ok(capture.data.length > 15_000_000, `${capture.data.length} bytes`);
  const server = await startServer({ set: { 'viewer-lag-bytes': 1_500_000, 'ring-max-bytes': 4_000_000 } });
  const [keepsUp, slow] = [await watch(server, 'slow'), await watch(server, 'slow')];
  const publisher = await publish(server, 'slow');
  await publisher.replay(capture, { to: 2 });
  await Promise.all([keepsUp, slow].map((viewer) => viewer.units()));
  slow.socket.pause();
  await pour(publisher, capture, keepsUp, { from: 2 });
  await publisher.end();
  await keepsUp.message('interrupted');
  assert.deepEqual(keepsUp.epochs[0].drops, []);
  const early = await judge(keepsUp.file(), 'the viewer that keeps up');
  await compareWithSource(early, capture, 'the viewer that keeps up');

  slow.socket.resume();
  await slow.message('interrupted');
  const { drops } = slow.epochs[0];
  t.diagnostic(`drops of the slow viewer: ${JSON.stringify(drops)} of ${slow.epochs[0].units.length} units`);
  assert.ok(drops.length > 0, 'it was told');
  for (const { ms } of drops)
    assert.ok(Number.isFinite(ms) && ms >= 0);
  // What it has decodes as it is, holes and all; and after the last hole nothing is missing.
  await judge(slow.file(), 'the slow viewer');
  await compareWithSource(await judge(slow.file(1, drops.at(-1).unit), 'the slow viewer after its last drop'), capture, 'after the last drop');
  assert.ok(slow.bytes < keepsUp.bytes);
  keepsUp.cut();
  slow.cut();
  await server.stop();
});

test('a viewer that takes nothing is closed after its time, and the log says why', { limit: 240_000 }, async () => {
  const capture = await heavy();
  const server = await startServer({ set: { 'viewer-stall-ms': 400, 'viewer-lag-bytes': 1_500_000 } });
  const [keepsUp, stuck] = [await watch(server, 'stuck'), await watch(server, 'stuck')];
  const publisher = await publish(server, 'stuck');
  stuck.socket.pause();
  await pour(publisher, capture, keepsUp);
  await server.waitLog(/stuck\b.*viewer left/);
  const { viewers } = await publisher.until(() => publisher.messages.find((one) => one.type === 'stats' && one.viewers === 1), 'one viewer to be left');
  assert.equal(viewers, 1);
  await publisher.end();
  await keepsUp.message('interrupted');
  await compareWithSource(await judge(keepsUp.file(), 'keeps up'), capture, 'keeps up');
  keepsUp.cut();
  stuck.cut();
  await server.stop();
});

test('viewers who stop reading cost no memory without bound', { limit: 240_000 }, async (t) => {
  const capture = await heavy();
  const server = await startServer({ set: { 'viewer-lag-bytes': 1_500_000, 'ring-max-bytes': 8_000_000 }, env: letGoOfMemory() });
  const keepsUp = await watch(server, 'many');
  const publisher = await publish(server, 'many');
  await pour(publisher, capture, keepsUp, { to: 5 });
  await keepsUp.units();
  const before = server.usage();
  const stuck = await Promise.all(Array.from({ length: 30 }, () => watch(server, 'many')));
  stuck.forEach((viewer) => viewer.socket.pause());
  await pour(publisher, capture, keepsUp, { from: 5 });
  const after = server.usage();
  t.diagnostic(`30 stuck viewers: anonymous memory from ${before.anonymous} to ${after.anonymous} KiB`);
  // The ring and the pieces that 30 half-written frames hold; a queue for each viewer would be 700 MB.
  assert.ok(after.anonymous - before.anonymous < 64_000, `memory grew from ${before.anonymous} to ${after.anonymous} KiB`);
  stuck.forEach((viewer) => viewer.cut());
  await publisher.until(() => publisher.messages.find((one, index) => one.type === 'stats' && one.viewers === 1 && index > 1), 'the stuck viewers to be gone');
  await publisher.end();
  await keepsUp.message('interrupted');
  keepsUp.cut();
  await server.stop();
});

test('hundreds of viewers come and go, and nothing stays behind', { limit: 240_000 }, async (t) => {
  const capture = await generate({ seconds: 10 });
  const server = await startServer({ logLevel: 'info' });
  const stays = await watch(server, 'herd');
  const publisher = await publish(server, 'herd');
  const playing = publisher.replay(capture, { pace: 'own' });
  await stays.units();
  const before = server.usage().descriptors;
  for (let round = 0; round < 8; round++) {
    const herd = await Promise.all(Array.from({ length: 60 }, () => watch(server, 'herd')));
    await Promise.all(herd.map((viewer) => viewer.units(1)));
    // Half of them say goodbye, half are just gone.
    await Promise.all(herd.map((viewer, index) => index % 2 ? viewer.leave() : viewer.cut()));
  }
  await publisher.until(() => publisher.messages.at(-1).viewers === 1, 'all of the herd to be gone');
  await server.descriptorsDownTo(before);
  t.diagnostic(`${server.usage().descriptors} descriptors, ${server.usage().threads} threads`);
  await playing;
  await publisher.end();
  await stays.message('interrupted');
  await compareWithSource(await judge(stays.file(), 'stays'), capture, 'stays');
  stays.cut();
  await server.stop();
});
