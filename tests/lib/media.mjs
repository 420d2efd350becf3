// SPDX-License-Identifier: LGPL-2.1-or-later
// The judges of media. ffprobe and ffmpeg say whether a file decodes, what its packets are and when they play; our own reader adds
// only what those do not show (the order of blocks and clusters, which Media Source Extensions are strict about).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { readSingle } from './matroska.mjs';
import { within } from './test.mjs';

const OUT = path.join(process.env.RELAIS_TEST_OUT ?? os.tmpdir(), 'media');
const AT_ONCE = 2;

/* --- running the tools, a few at a time ---------------------------------------------------------------------------------------- */

let running = 0;
const queue = [];

async function tool(command, args) {
  if (running >= AT_ONCE)
    await new Promise((resolve) => queue.push(resolve));
  running++;
  try {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const out = [], err = [];
    child.stdout.on('data', (data) => out.push(data));
    child.stderr.on('data', (data) => err.push(data));
    const code = await within(new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    }), `${command} ${args.join(' ')}`, 120_000);
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString().trim() };
  } finally {
    running--;
    queue.shift()?.();
  }
}

/** What ffprobe finds: `streams` by type with their packets in file order (`index` counts over all streams). */
export async function probe(file) {
  const { code, stdout, stderr } = await tool('ffprobe', ['-v', 'warning', '-show_streams', '-show_packets', '-show_data_hash', 'md5',
    '-show_entries', 'stream=index,codec_type,codec_name,width,height:packet=stream_index,pts_time,flags,size,data_hash',
    '-of', 'json', file]);
  assert.equal(code, 0, `ffprobe: ${stderr}`);
  const { streams, packets } = JSON.parse(stdout);
  const result = { warnings: stderr, streams: {} };
  for (const stream of streams)
    result.streams[stream.codec_type] = { codec: stream.codec_name, width: stream.width, height: stream.height, index: stream.index, packets: [] };
  packets.forEach((packet, index) => {
    const stream = Object.values(result.streams).find((one) => one.index === packet.stream_index);
    stream.packets.push({ index, ms: Number(packet.pts_time) * 1000, key: packet.flags.includes('K'), size: Number(packet.size), hash: packet.data_hash });
  });
  return result;
}

/** Decodes everything: what ffmpeg says at level warning, and for each stream the decoded frames' times and hashes. */
export async function decode(file) {
  const { code, stdout, stderr } = await tool('ffmpeg', ['-v', 'warning', '-xerror', '-nostdin', '-i', file, '-map', '0',
    '-fps_mode', 'passthrough', '-autoscale', '0', '-enc_time_base', '1:1000', '-f', 'framehash', '-hash', 'md5', 'pipe:1']);
  const frames = {}, types = {};
  for (const line of stdout.split('\n')) {
    const type = /^#media_type (\d+): (\w+)/.exec(line);
    if (type) {
      types[type[1]] = type[2];
      frames[type[2]] = [];
    } else if (/^\d/.test(line)) {
      const [stream, , pts, , , hash] = line.split(',').map((field) => field.trim());
      frames[types[stream]].push({ pts: Number(pts), hash });
    }
  }
  return { code, warnings: stderr, frames };
}

/* --- what every viewer's file must be ------------------------------------------------------------------------------------------- */

/* The frame's own word for "I need no other" (VP8: RFC 6386 section 9.1; VP9: specification section 6.2; AV1: section 5.3 and 5.5, a
 * sequence header stands before each key frame; H.264: an IDR slice, in the length-prefixed or the Annex B layout). */
function isKeyframe(codec, data) {
  switch (codec) {
    case 'V_VP8': return (data[0] & 1) === 0;
    case 'V_VP9': {
      const profile = ((data[0] >> 5) & 1) | ((data[0] >> 3) & 2);
      const bits = profile === 3 ? data[0] << 1 : data[0];
      return (bits & 0x08) === 0 && (bits & 0x04) === 0;
    }
    case 'V_AV1':
      for (let at = 0; at < data.length;) {
        const type = (data[at] >> 3) & 15, extension = (data[at] >> 2) & 1, hasSize = (data[at] >> 1) & 1;
        if (type === 1)
          return true;
        if (!hasSize)
          return false;
        let size = 0, shift = 0, position = at + 1 + extension;
        do {
          size |= (data[position] & 0x7f) << shift;
          shift += 7;
        } while (data[position++] & 0x80);
        at = position + size;
      }
      return false;
    case 'V_MPEG4/ISO/AVC':
      for (let at = 0; at + 4 < data.length;) {
        const length = data.readUInt32BE(at);
        if (length === 1) {
          for (let index = 0; index + 3 < data.length; index++)
            if (data[index] === 0 && data[index + 1] === 0 && data[index + 2] === 1 && (data[index + 3] & 31) === 5)
              return true;
          return false;
        }
        if ((data[at + 4] & 31) === 5)
          return true;
        at += 4 + length;
      }
      return false;
    default: throw new Error(`no keyframe rule for ${codec}`);
  }
}

/**
 * Structure, from our own reader: what a browser's Media Source Extensions would refuse, and where playing starts. With
 * `damaged` the next keyframe may be late, or never come, and H.264 may show its pictures in another order than it stores them.
 */
export function checkStructure(buffer, what, { damaged = false } = {}) {
  const file = readSingle(buffer);
  assert.ok(['webm', 'matroska'].includes(file.docType), `${what}: DocType ${file.docType}`);
  assert.ok(file.complete, `${what}: the file ends within an element at ${file.end}`);
  assert.ok(file.blocks.length > 0, `${what}: no block`);
  const video = file.tracks.find((track) => track.type === 'video');
  const reordered = damaged && video?.codec === 'V_MPEG4/ISO/AVC';
  let previous = -Infinity;
  for (const block of file.blocks) {
    assert.ok(reordered || block.time >= previous, `${what}: block at offset ${block.at} has time ${block.time} after ${previous}`);
    assert.ok(block.time >= block.clusterTime, `${what}: block at offset ${block.at} has time ${block.time} in a cluster of ${block.clusterTime}`);
    previous = block.time;
  }
  if (video) {
    const first = file.blocks.find((block) => block.track === video.number);
    assert.ok(first || damaged, `${what}: a video track without a block`);
    assert.ok(!first || isKeyframe(video.codec, first.data), `${what}: the first video frame is no keyframe`);
    for (const block of file.blocks)
      if (block.track === video.number && block.key)
        assert.ok(isKeyframe(video.codec, block.data), `${what}: block at ${block.at} (${block.time} ms) is marked as a keyframe and is none`);
    // Blocks of the keyframe's own chunk may stand before it, nothing else.
    if (!damaged)
      assert.ok(first.time - file.blocks[0].time <= 150, `${what}: the first keyframe comes ${first.time - file.blocks[0].time} ms after the start`);
  }
  return file;
}

const judged = new Map();

/**
 * All that must hold for what one viewer received: structure, no word from ffprobe or ffmpeg, times that never go back, every video
 * packet decoded to a frame. Files with the same bytes are judged once. Resolves with `{ file, probe, frames }`.
 */
export function judge(buffer, what) {
  const digest = createHash('sha256').update(buffer).digest('hex');
  if (!judged.has(digest))
    judged.set(digest, judgeAnew(buffer, what, digest));
  return judged.get(digest);
}

async function judgeAnew(buffer, what, digest) {
  mkdirSync(OUT, { recursive: true });
  const name = path.join(OUT, `${what.replace(/[^\w.-]+/g, '_').slice(0, 80)}-${digest.slice(0, 8)}.webm`);
  writeFileSync(name, buffer);
  const where = `${what} (${name})`;
  const file = checkStructure(buffer, where);
  const [probed, decoded] = await Promise.all([probe(name), decode(name)]);
  assert.equal(probed.warnings, '', `${where}: ffprobe says`);
  assert.equal(decoded.warnings, '', `${where}: ffmpeg says`);
  assert.equal(decoded.code, 0, where);
  for (const [type, { packets }] of Object.entries(probed.streams)) {
    assert.ok(packets.length > 0, `${where}: the ${type} track has no packet`);
    for (let index = 1; index < packets.length; index++)
      assert.ok(packets[index].ms >= packets[index - 1].ms, `${where}: ${type} packet ${index} goes back from ${packets[index - 1].ms} to ${packets[index].ms} ms`);
  }
  if (probed.streams.video) {
    assert.ok(probed.streams.video.packets[0].key, `${where}: the first video packet is not marked as a keyframe`);
    assert.equal(decoded.frames.video.length, probed.streams.video.packets.length, `${where}: decoded frames and video packets`);
  }
  rmSync(name);
  return { file, probe: probed, frames: decoded.frames };
}

/* --- against what was published -------------------------------------------------------------------------------------------------- */

const sources = new Map();

/** The judgement of a capture itself, to compare with. The capture may be imperfect; only what viewers get must not be. */
export function source(capture) {
  if (!sources.has(capture.data))
    sources.set(capture.data, (async () => {
      mkdirSync(OUT, { recursive: true });
      const name = path.join(OUT, `source-${capture.name.replace(/[^\w.-]+/g, '_')}-${createHash('sha256').update(capture.data).digest('hex').slice(0, 8)}`);
      writeFileSync(name, capture.data);
      const [probed, decoded] = await Promise.all([probe(name), decode(name)]);
      rmSync(name, { force: true });
      return { probe: probed, frames: decoded.frames };
    })());
  return sources.get(capture.data);
}

/* Walks both lists from their ends: everything of `all` up to some first one must be in `got`, in order. What `got` has beyond that
 * is extra. Returns how many of `all` come before the first that was received, and the pairs. */
function matchFromEnd(got, all) {
  let left = all.length - 1, extra = 0;
  const pairs = [];
  for (let index = got.length - 1; index >= 0; index--) {
    if (left >= 0 && got[index].hash === all[left].hash)
      pairs.unshift([got[index], all[left--]]);
    else
      extra++;
  }
  return { before: left + 1, extra, pairs };
}

/* For whoever reads about a mismatch: which of the published packets were not received, as ranges. */
function describeMissing(got, all) {
  const received = new Set(got.map((packet) => packet.hash));
  const missing = all.map((packet, index) => ({ packet, index })).filter(({ packet }) => !received.has(packet.hash)).map(({ index }) => index);
  const ranges = [];
  for (const index of missing) {
    if (ranges.at(-1)?.[1] === index - 1)
      ranges.at(-1)[1] = index;
    else
      ranges.push([index, index]);
  }
  const published = new Set(all.map((packet) => packet.hash));
  const foreign = got.filter((packet) => !published.has(packet.hash)).length;
  return `of ${all.length} published, ${got.length} received; not received: ${ranges.map(([one, two]) => one === two ? one : `${one}-${two}`).join(', ') || 'none'}; `
    + `${foreign} received that were not published`;
}

/**
 * A viewer that stayed to the end received every packet of the capture from its first keyframe on, unchanged, and audio and video
 * as far apart as they were. `options.frames`: compare decoded pictures instead of packets (H.264, whose layout changes);
 * `options.extra`: how many packets may be there that were not published (fillers of a quiet track), per type.
 */
export async function compareWithSource(judgement, capture, what, { frames = false, extra = {}, shift = 3 } = {}) {
  const original = await source(capture);
  const offsets = [];
  let startsAt = 0;          // index in the capture, over all streams, of the viewer's first video packet (or packet, of sound alone)
  for (const type of ['video', 'audio']) {
    const there = original.probe.streams[type], here = judgement.probe.streams[type];
    assert.equal(Boolean(here), Boolean(there), `${what}: ${type} track`);
    if (!there)
      continue;
    assert.equal(here.codec, there.codec, `${what}: ${type} codec`);
    let match;
    if (frames && type === 'video') {
      // The pictures are compared by hash, the times come from the packets at the same places.
      const withTimes = (packets, pictures) => pictures.map(({ hash }, index) => ({ ...packets[index], hash }));
      match = matchFromEnd(withTimes(here.packets, judgement.frames.video), withTimes(there.packets, original.frames.video));
    } else {
      match = matchFromEnd(here.packets, there.packets);
    }
    assert.ok(match.pairs.length > 0 && match.extra <= (extra[type] ?? 0),
      `${what}: ${type} packets: ${describeMissing(here.packets, there.packets)} (${match.pairs.length} pairs, ${match.extra} more, ${extra[type] ?? 0} allowed)`);
    if (type === 'video') {
      assert.equal(match.pairs[0][0].index, here.packets[0].index, `${what}: the first video packet is not from the capture`);
      startsAt = match.pairs[0][1].index;
    } else {
      if (!original.probe.streams.video)
        startsAt = match.pairs[0][1].index;
      const required = there.packets.filter((packet) => packet.index >= startsAt).length;
      assert.ok(match.pairs.length >= required,
        `${what}: ${required} audio packets follow the first keyframe, ${match.pairs.length} were received`);
    }
    // What lies before zero (Opus's pre-skip, by CodecDelay) has no time of its own in a cluster and is not compared.
    for (const [got, published] of match.pairs)
      if (published.ms >= 0)
        offsets.push({ type, offset: got.ms - published.ms, at: published.ms });
  }
  const low = offsets.reduce((one, two) => two.offset < one.offset ? two : one);
  const high = offsets.reduce((one, two) => two.offset > one.offset ? two : one);
  assert.ok(high.offset - low.offset <= shift, `${what}: times are moved by ${low.offset} ms (${low.type} at ${low.at}) to ${high.offset} ms (${high.type} at ${high.at})`);
  return { offset: low.offset, startsAt };
}

/** The times of the first and the last block, in milliseconds. */
export function span(judgement) {
  const { blocks } = judgement.file;
  return { first: blocks[0].time, last: blocks.at(-1).time };
}
