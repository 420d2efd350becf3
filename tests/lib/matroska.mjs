// SPDX-License-Identifier: LGPL-2.1-or-later
// A small Matroska reader (RFC 9559, RFC 8794) that keeps what ffprobe hides: the order of blocks in the file, the clusters, and
// every offset. It reads what browsers, ffmpeg and relais write; a file may end anywhere.

const ID = {
  EBML: 0x1a45dfa3, SEGMENT: 0x18538067, INFO: 0x1549a966, TRACKS: 0x1654ae6b, CLUSTER: 0x1f43b675,
  DOC_TYPE: 0x4282, TIMESTAMP_SCALE: 0x2ad7b1, TRACK_ENTRY: 0xae, TRACK_NUMBER: 0xd7, TRACK_TYPE: 0x83, CODEC_ID: 0x86,
  CODEC_PRIVATE: 0x63a2, VIDEO: 0xe0, WIDTH: 0xb0, HEIGHT: 0xba, TIMESTAMP: 0xe7, SIMPLE_BLOCK: 0xa3, BLOCK_GROUP: 0xa0,
  BLOCK: 0xa1, REFERENCE_BLOCK: 0xfb, CUES: 0x1c53bb6b, TAGS: 0x1254c367, SEEK_HEAD: 0x114d9b74, CHAPTERS: 0x1043a770,
  ATTACHMENTS: 0x1941a469,
};
const MASTERS = new Set([ID.EBML, ID.SEGMENT, ID.INFO, ID.TRACKS, ID.CLUSTER, ID.TRACK_ENTRY, ID.VIDEO, ID.BLOCK_GROUP]);
const LEVEL_1 = new Set([ID.INFO, ID.TRACKS, ID.CLUSTER, ID.CUES, ID.TAGS, ID.SEEK_HEAD, ID.CHAPTERS, ID.ATTACHMENTS]);
const TRACK_TYPES = { 1: 'video', 2: 'audio' };

/* A variable-length integer at `at` (RFC 8794 section 4); undefined when the buffer ends in it. */
function readVint(buffer, at, keepMarker) {
  if (at >= buffer.length)
    return undefined;
  const length = Math.clz32(buffer[at]) - 23;
  if (length > 8 || at + length > buffer.length)
    return undefined;
  let value = BigInt(keepMarker ? buffer[at] : buffer[at] & ((1 << (8 - length)) - 1));
  for (let index = 1; index < length; index++)
    value = (value << 8n) | BigInt(buffer[at + index]);
  const unknown = !keepMarker && value === (1n << BigInt(7 * length)) - 1n;
  return { value: Number(value), length, unknown };
}

const readUint = (data) => data.reduce((value, byte) => value * 256 + byte, 0);

/** Walks the elements of `buffer`, calling `visit({ id, at, data, size, unknown, parents })`; masters before their children. */
function walk(buffer, visit) {
  const open = [];          // masters around the position: { id, end }
  let at = 0;
  while (at < buffer.length) {
    while (open.length > 0 && at >= open.at(-1).end)
      open.pop();
    const id = readVint(buffer, at, true);
    const size = id && readVint(buffer, at + id.length, false);
    if (!size)
      return { complete: false, at };
    // A master of unknown size ends where an element stands that cannot be in it (RFC 8794 section 6.2).
    while (open.at(-1)?.unknown && (id.value === ID.EBML || id.value === ID.SEGMENT
        || (open.at(-1).id === ID.CLUSTER && LEVEL_1.has(id.value))))
      open.pop();
    const start = at + id.length + size.length;
    const end = size.unknown ? Infinity : start + size.value;
    const master = MASTERS.has(id.value);
    if (!master && end > buffer.length)
      return { complete: false, at };
    visit({ id: id.value, at, data: master ? undefined : buffer.subarray(start, end), unknown: size.unknown,
      parents: open.map((one) => one.id) });
    if (master)
      open.push({ id: id.value, end, unknown: size.unknown });
    at = master ? start : end;
  }
  return { complete: true, at };
}

/**
 * Reads a file. `headers` has one entry for each EBML header; each has `docType`, `tracks` (`number`, `type`, `codec`, `private`,
 * `width`, `height`) and `blocks`: `at` (offset in the file), `cluster` (index), `track`, `time` and `clusterTime` in milliseconds,
 * `key` (the container's word for it) and `data`.
 */
export function readMatroska(buffer) {
  const headers = [];
  let current, entry, clusterTime = 0, cluster = -1, group;

  const addBlock = (at, data, key) => {
    const track = readVint(data, 0, false);
    const relative = data.readInt16BE(track.length);
    const scale = current.scale / 1e6;
    const block = { at, cluster, track: track.value, time: (clusterTime + relative) * scale, clusterTime: clusterTime * scale,
      key: key ?? (data[track.length + 2] & 0x80) !== 0, data: data.subarray(track.length + 3) };
    current.blocks.push(block);
    return block;
  };

  const { complete, at: end } = walk(buffer, ({ id, at, data }) => {
    if (id === ID.EBML) {
      current = { at, docType: undefined, scale: 1e6, tracks: [], blocks: [], clusters: [] };
      cluster = -1;
      headers.push(current);
      return;
    }
    if (!current)
      throw new Error(`the file does not begin with an EBML header but with element 0x${id.toString(16)}`);
    switch (id) {
      case ID.DOC_TYPE: current.docType = data.toString('latin1').replace(/\0+$/, ''); break;
      case ID.TIMESTAMP_SCALE: current.scale = readUint(data); break;
      case ID.TRACK_ENTRY: current.tracks.push(entry = {}); break;
      case ID.TRACK_NUMBER: entry.number = readUint(data); break;
      case ID.TRACK_TYPE: entry.type = TRACK_TYPES[readUint(data)] ?? 'other'; break;
      case ID.CODEC_ID: entry.codec = data.toString('latin1').replace(/\0+$/, ''); break;
      case ID.CODEC_PRIVATE: entry.private = data; break;
      case ID.WIDTH: entry.width = readUint(data); break;
      case ID.HEIGHT: entry.height = readUint(data); break;
      case ID.CLUSTER:
        cluster++;
        clusterTime = 0;
        current.clusters.push({ at, time: undefined });
        break;
      case ID.TIMESTAMP:
        clusterTime = readUint(data);
        current.clusters.at(-1).time = clusterTime * current.scale / 1e6;
        break;
      case ID.SIMPLE_BLOCK: addBlock(at, data); break;
      // A block of a group is a keyframe unless it refers to another (RFC 9559 section 10.2).
      case ID.BLOCK_GROUP: group = { key: true, block: undefined }; break;
      case ID.BLOCK: group.block = addBlock(at, data, group.key); break;
      case ID.REFERENCE_BLOCK:
        group.key = false;
        if (group.block)
          group.block.key = false;
        break;
      default: break;
    }
  });
  return { headers, complete, end };
}

/** The file's only header; an error if there is none or another. */
export function readSingle(buffer) {
  const { headers, complete, end } = readMatroska(buffer);
  if (headers.length !== 1)
    throw new Error(`the file has ${headers.length} EBML headers`);
  return { ...headers[0], complete, end };
}
