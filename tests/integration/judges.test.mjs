// SPDX-License-Identifier: LGPL-2.1-or-later
// The judges of media refuse what they must refuse: each fault that a relay could make, made here by hand.

import assert from 'node:assert/strict';

import { loadCapture } from '../lib/captures.mjs';
import { readSingle } from '../lib/matroska.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { test } from '../lib/test.mjs';

const capture = loadCapture('chrome-vp8-opus.webm');
const original = readSingle(capture.data);
const [video] = original.tracks.filter((track) => track.type === 'video');

/* An element: identifier (as it is written), then the size in eight bytes, then the data. */
function element(id, ...parts) {
  const data = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE((1n << 56n) | BigInt(data.length));
  return Buffer.concat([Buffer.from(id, 'hex'), head, data]);
}

/* The capture written anew: its own header, and one cluster from `blocks`. */
function write(blocks) {
  const base = blocks[0].time;
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(base));
  return Buffer.concat([capture.data.subarray(0, original.clusters[0].at), element('1f43b675', element('e7', stamp),
    ...blocks.map((block) => {
      const head = Buffer.from([0x80 | block.track, 0, 0, block.key ? 0x80 : 0]);
      head.writeInt16BE(block.time - base, 1);
      return element('a3', head, block.data);
    }))]);
}

const keys = original.blocks.map((block, index) => ({ block, index }))
  .filter(({ block }) => block.track === video.number && block.key).map(({ index }) => index);
const fromSecondKey = original.blocks.slice(keys[1]);

async function refuses(blocks, pattern) {
  const bytes = write(blocks);
  await assert.rejects(async () => compareWithSource(await judge(bytes, 'a faulty file'), capture, 'a faulty file'), pattern);
}

test('the capture itself and its tail from a keyframe are right', async () => {
  await compareWithSource(await judge(capture.data, 'capture'), capture, 'capture');
  const { startsAt } = await compareWithSource(await judge(write(fromSecondKey), 'tail'), capture, 'tail');
  assert.equal(startsAt, keys[1]);
});

test('a start between keyframes is refused', () => refuses(original.blocks.slice(keys[1] + 3), /no keyframe/));

test('a start between keyframes with a false flag is refused', async () => {
  const blocks = original.blocks.slice(keys[1] + 3);
  const first = blocks.findIndex((block) => block.track === video.number);
  await refuses(blocks.map((block, index) => index === first ? { ...block, key: true } : block), /no keyframe/);
});

test('a false keyframe flag later on is refused', () =>
  refuses(fromSecondKey.map((block) => block.track === video.number ? { ...block, key: true } : block),
    /marked as a keyframe/));

for (const [what, track] of [['video', video.number], ['audio', 3 - video.number]]) {
  test(`a lost ${what} packet is refused`, () => {
    const lost = fromSecondKey.findIndex((block, index) => index > 40 && block.track === track);
    return refuses(fromSecondKey.filter((_, index) => index !== lost), /packets: of|were received|ffmpeg says/);
  });

  test(`a doubled ${what} packet is refused`, () => {
    const twice = fromSecondKey.findIndex((block, index) => index > 40 && block.track === track);
    return refuses(fromSecondKey.flatMap((block, index) => index === twice ? [block, block] : [block]), /packets: of|moved/);
  });
}

test('a missing last packet is refused', () => refuses(fromSecondKey.slice(0, -1), /packets: of/));

test('a block earlier than the one before it is refused', () =>
  refuses(fromSecondKey.map((block, index) => index === 20 ? { ...block, time: fromSecondKey[19].time - 5 } : block), /has time/));

test('audio moved against video is refused', () =>
  refuses(fromSecondKey.map((block) => block.track === video.number ? block : { ...block, time: block.time + 40 })
    .sort((one, two) => one.time - two.time), /moved/));

test('a damaged packet is refused', () =>
  refuses(fromSecondKey.map((block, index) => {
    if (index !== 30)
      return block;
    const data = Buffer.from(block.data);
    data[data.length >> 1] ^= 0x10;
    return { ...block, data };
  }), /packets: of|ffmpeg says/));

test('a file cut within an element is refused', async () => {
  const whole = write(fromSecondKey);
  await assert.rejects(judge(whole.subarray(0, whole.length - 7), 'a cut file'), /ends within an element/);
});

test('a header without media is refused', async () => {
  await assert.rejects(judge(capture.data.subarray(0, original.clusters[0].at), 'a bare header'), /no block/);
});
