// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the few bytes of a unit that the player wants to know before it appends it: does a cluster
// begin here, when, and with a keyframe. Nothing here decides whether a unit is appended: a unit that
// cannot be read gives null and is appended like any other. (Matroska, RFC 9559, sections 5.1.3 and 10.)

const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const REFERENCE_BLOCK = 0xfb;
const TIMESTAMP_SCALE = 0x2ad7b1;

/** An EBML variable-size integer; `keepMarker` for element IDs. Returns [value, length]. */
function readVint(bytes, at, keepMarker) {
  const first = bytes[at];
  if (!first) return [NaN, 0];
  const length = Math.clz32(first) - 23;
  if (at + length > bytes.length) return [NaN, 0];
  let value = keepMarker ? first : first & (0xff >> length);
  for (let i = 1; i < length; i += 1) value = value * 256 + bytes[at + i];
  return [value, length];
}

function readUnsigned(bytes, at, size) {
  let value = 0;
  for (let i = 0; i < size; i += 1) value = value * 256 + bytes[at + i];
  return value;
}

/**
 * The beginning of a unit that opens a cluster.
 *
 * @param {ArrayBuffer} unit
 * @returns {{time: number, keyframe: boolean, track: number}|null} `time` in timestamp ticks; null when no
 *   cluster begins here. `keyframe` is what the cluster's first block says: a flag, or in a group that it
 *   refers to no other (relais writes the reference before the block)
 */
export function peekCluster(unit) {
  const bytes = new Uint8Array(unit, 0, Math.min(unit.byteLength, 128));
  if (bytes.length < 8 || readUnsigned(bytes, 0, 4) !== CLUSTER) return null;
  let at = 4;
  at += readVint(bytes, at, false)[1];
  let time = NaN;
  let inGroup = false;
  let refers = false;
  while (at < bytes.length) {
    const [id, idLength] = readVint(bytes, at, true);
    const [size, sizeLength] = readVint(bytes, at + idLength, false);
    if (!idLength || !sizeLength) break;
    const body = at + idLength + sizeLength;
    if (id === TIMESTAMP && body + size <= bytes.length) {
      time = readUnsigned(bytes, body, size);
    } else if (id === SIMPLE_BLOCK || id === BLOCK) {
      const [track, trackLength] = readVint(bytes, body, false);
      const flags = bytes[body + trackLength + 2] ?? 0;
      return { time, keyframe: inGroup ? !refers : (flags & 0x80) !== 0, track };
    } else if (id === REFERENCE_BLOCK) {
      refers = true;
    }
    inGroup ||= id === BLOCK_GROUP;
    at = id === BLOCK_GROUP ? body : body + size;
  }
  return Number.isNaN(time) ? null : { time, keyframe: false, track: 0 };
}

/**
 * How long one timestamp tick of this segment lasts.
 *
 * @param {ArrayBuffer} init an initialization segment
 * @returns {number} seconds; 0.001 unless the segment says otherwise
 */
export function timestampScale(init) {
  const bytes = new Uint8Array(init);
  for (let at = 0; at + 4 < bytes.length; at += 1) {
    if (bytes[at] !== 0x2a || readUnsigned(bytes, at, 3) !== TIMESTAMP_SCALE) continue;
    const [size, sizeLength] = readVint(bytes, at + 3, false);
    if (!sizeLength || size < 1 || size > 8 || at + 3 + sizeLength + size > bytes.length) continue;
    return readUnsigned(bytes, at + 3 + sizeLength, size) / 1e9;
  }
  return 0.001;
}

/**
 * The first bytes of a buffer, for a person.
 *
 * @param {ArrayBuffer} buffer
 * @param {number} [count]
 * @returns {string} such as `1a 45 df a3 …`
 */
export function hexDump(buffer, count = 32) {
  const bytes = new Uint8Array(buffer, 0, Math.min(count, buffer.byteLength));
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return buffer.byteLength > count ? `${text} …` : text;
}
