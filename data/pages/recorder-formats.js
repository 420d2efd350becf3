// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The recordings this browser can make and the server can take, the one that every viewer can play first.

const FORMATS = [
  { id: 'vp8', name: 'VP8', note: 'plays in every browser', container: 'video/webm', video: 'vp8' },
  { id: 'vp9', name: 'VP9', note: 'sharper at the same bitrate', container: 'video/webm', video: 'vp9' },
  { id: 'av1', name: 'AV1', note: 'sharpest, needs a fast machine', container: 'video/webm', video: 'av1' },
  { id: 'h264', name: 'H.264', note: 'browsers cannot watch it', container: 'video/x-matroska', video: 'avc1' },
];

const SOUND = { id: 'opus', name: 'Opus', note: 'sound only', type: 'audio/webm;codecs=opus' };

/**
 * @typedef {object} RecorderFormat
 * @property {string} id `vp8`, `vp9`, `av1`, `h264` or `opus`
 * @property {string} name
 * @property {string} note one remark for the person who chooses
 */

function recordable(type) {
  return typeof MediaRecorder !== 'undefined' && MediaRecorder.isTypeSupported(type);
}

/** @returns {RecorderFormat[]} what can be recorded with pictures, the best choice first */
export function videoFormats() {
  return FORMATS.filter(
    ({ container, video }) =>
      recordable(`${container};codecs=${video}`) && recordable(`${container};codecs=${video},opus`),
  );
}

/** @returns {boolean} whether sound alone can be recorded */
export function canRecordSound() {
  return recordable(SOUND.type);
}

/**
 * The MIME type to record with.
 *
 * @param {string} id a format's
 * @param {{video: boolean, audio: boolean}} tracks what the stream to record has
 * @returns {string} empty when this browser cannot record it
 */
export function recorderType(id, { video, audio }) {
  if (!video) return canRecordSound() ? SOUND.type : '';
  const format = videoFormats().find((candidate) => candidate.id === id) ?? videoFormats()[0];
  if (!format) return '';
  return `${format.container};codecs=${format.video}${audio ? ',opus' : ''}`;
}

/**
 * A bitrate that suits a size.
 *
 * @param {number} width pixels
 * @param {number} height pixels
 * @returns {number} bits a second
 */
export function suitableBitrate(width, height) {
  const pixels = width * height;
  if (pixels <= 480 * 270) return 500_000;
  if (pixels <= 640 * 360) return 1_000_000;
  if (pixels <= 1280 * 720) return 2_500_000;
  return 5_000_000;
}
