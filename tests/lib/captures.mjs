// SPDX-License-Identifier: LGPL-2.1-or-later
// What is published: the captures of tests/data, and streams that ffmpeg makes where no browser's recording is at hand.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { readSingle } from './matroska.mjs';
import { within } from './test.mjs';

const FOLDER = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../data/captures');

/** A recording and the chunks it came in: `chunks` is a list of `{ at, data }`, `at` in milliseconds from the first. */
export class Capture {
  constructor(name, data, sizes) {
    this.name = name;
    this.data = data;
    let offset = 0;
    this.chunks = sizes.map(({ at, bytes }) => ({ at: at - sizes[0].at, data: data.subarray(offset, offset += bytes) }));
    if (offset !== data.length)
      throw new Error(`${name}: the chunks have ${offset} bytes, the file ${data.length}`);
  }

  /** Length of a replay at its own timing, in milliseconds. */
  get duration() {
    return this.chunks.at(-1).at;
  }

  /** The same bytes cut otherwise: `next()` gives the size of each chunk; `interval` milliseconds lie between two. */
  cut(next, interval = 0) {
    const sizes = [];
    for (let offset = 0; offset < this.data.length;) {
      const bytes = Math.min(this.data.length - offset, Math.max(1, Math.floor(next())));
      sizes.push({ at: sizes.length * interval, bytes });
      offset += bytes;
    }
    return new Capture(this.name, this.data, sizes);
  }

  /** The same recording with other times of its sound: `offset(index)` gives the ms by which each packet is later. */
  withSoundMoved(offset) {
    const data = Buffer.from(this.data);
    const { blocks, tracks } = readSingle(data);
    const { number } = tracks.find(({ type }) => type === 'audio');
    let index = 0;
    // A block's time stands before its flags and its frame, which is a view into `data`.
    for (const { time, clusterTime, data: frame } of blocks.filter(({ track }) => track === number))
      data.writeInt16BE(Math.max(0, time - clusterTime + offset(index++)), frame.byteOffset - data.byteOffset - 3);
    return new Capture(`${this.name}-moved`, data, [{ at: 0, bytes: data.length }]);
  }

  /** The same bytes in chunks that each hold `interval` milliseconds of media, as a recorder hands them out. */
  inTime(interval = 100) {
    const sizes = [];
    let begun = 0, end = interval;
    for (const { at, time } of readSingle(this.data).blocks) {
      if (time < end)
        continue;
      sizes.push({ at: end, bytes: at - begun });
      begun = at;
      end = (Math.floor(time / interval) + 1) * interval;
    }
    sizes.push({ at: end, bytes: this.data.length - begun });
    return new Capture(this.name, this.data, sizes);
  }
}

export function loadCapture(name) {
  const file = path.join(FOLDER, name);
  const sizes = readFileSync(`${file}.chunks`, 'utf8').trim().split('\n').map((line) => {
    const [at, bytes] = line.split(' ').map(Number);
    return { at, bytes };
  });
  return new Capture(name, readFileSync(file), sizes);
}

/** All captures in a container that relais takes. */
export const MATROSKA_CAPTURES = readdirSync(FOLDER).filter((name) => /\.(webm|mkv)$/.test(name)).sort();

/* ffmpeg's arguments for a live WebM of each codec; -cpu-used and -deadline keep the encoders quick on two cores. */
const VIDEO = {
  vp8: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-auto-alt-ref', '0', '-b:v', '600k'],
  vp9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-auto-alt-ref', '0', '-b:v', '600k'],
  av1: ['-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-b:v', '600k'],
  h264: ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-b:v', '600k', '-flags', '+global_header'],
};
const AUDIO = {
  opus: ['-c:a', 'libopus', '-b:a', '64k'],
  vorbis: ['-c:a', 'libvorbis', '-b:a', '64k'],
};

/**
 * Makes a stream of `seconds` with `{ video, audio, size, rate, gop }` (gop: frames from keyframe to keyframe) as a live recorder
 * would send it: clusters of unknown size, no cues; one chunk is some 100 ms.
 */
export async function generate({ video = 'vp8', audio = 'opus', size = '320x180', rate = 20, gop = 20, seconds = 4, extra = [] }) {
  const args = ['-v', 'error', '-nostdin'];
  if (video)
    args.push('-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}`);
  if (audio)
    args.push('-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000');
  args.push('-t', String(seconds), ...video ? VIDEO[video] : [], ...audio ? AUDIO[audio] : []);
  if (video)
    args.push('-g', String(gop), '-keyint_min', String(gop), '-pix_fmt', 'yuv420p');
  args.push(...extra);
  const live = ['-f', video === 'h264' ? 'matroska' : 'webm', '-live', '1', '-cluster_time_limit', '200', 'pipe:1'];
  let data;
  if (video === 'av1') {
    // ffmpeg 5.1 learns AV1's CodecPrivate too late for a pipe: by way of a file.
    const folder = mkdtempSync(path.join(os.tmpdir(), 'relais-test-'));
    const file = path.join(folder, 'av1.webm');
    await runTool('ffmpeg', [...args, file]);
    data = await runTool('ffmpeg', ['-v', 'error', '-nostdin', '-i', file, '-c', 'copy', ...live]);
    rmSync(folder, { recursive: true });
  } else {
    data = await runTool('ffmpeg', [...args, ...live]);
  }
  const chunk = Math.ceil(data.length / (seconds * 10));
  return new Capture(`${video ?? 'none'}-${audio ?? 'none'}`, data, [{ at: 0, bytes: data.length }]).cut(() => chunk, 100);
}

/** Runs a program and resolves with its standard output; a non-zero exit is an error with its standard error. */
export function runTool(command, args, input) {
  const child = spawn(command, args, { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  const out = [], err = [];
  child.stdout.on('data', (data) => out.push(data));
  child.stderr.on('data', (data) => err.push(data));
  if (input)
    child.stdin.end(input);
  return within(new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0)
        resolve(Buffer.concat(out));
      else
        reject(new Error(`${command} ended with ${code}: ${Buffer.concat(err)}`));
    });
  }), `${command} ${args.join(' ')}`, 120_000);
}
