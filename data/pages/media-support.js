// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this browser's Media Source Extensions can play, and how to say so in words.

const NAMES = [
  [/^vp8/, 'VP8'],
  [/^(vp9|vp09)/, 'VP9'],
  [/^(av1|av01)/, 'AV1'],
  [/^(avc1|avc3|h264)/, 'H.264'],
  [/^(hev1|hvc1|hevc|h265)/, 'H.265'],
  [/^opus/, 'Opus'],
  [/^vorbis/, 'Vorbis'],
  [/^mp4a/, 'AAC'],
  [/^pcm/, 'PCM'],
];

const SOUNDS = new Set(['Opus', 'Vorbis', 'AAC', 'PCM']);

/** Types worth telling the server about, each with one codec. */
const KNOWN_TYPES = [
  'video/webm; codecs="vp8"',
  'video/webm; codecs="vp9"',
  'video/webm; codecs="av01.0.08M.08"',
  'audio/webm; codecs="opus"',
  'audio/webm; codecs="vorbis"',
];

/**
 * The MediaSource to use: the ordinary one, or the managed one of iPhones.
 *
 * @returns {typeof MediaSource | null}
 */
export function mediaSourceClass() {
  return globalThis.MediaSource ?? globalThis.ManagedMediaSource ?? null;
}

/**
 * @param {string} mime such as `video/webm; codecs="vp8,opus"`
 * @returns {boolean}
 */
export function canPlay(mime) {
  return mediaSourceClass()?.isTypeSupported(mime) ?? false;
}

/** @returns {string[]} the MIME types this browser plays, for the `hello` message */
export function playableTypes() {
  return KNOWN_TYPES.filter(canPlay);
}

/**
 * @param {string} mime
 * @returns {string[]} its codecs parameter, taken apart
 */
export function codecsOf(mime) {
  const match = /codecs\s*=\s*"?([^";]*)"?/i.exec(mime ?? '');
  return match ? match[1].split(',').map((codec) => codec.trim()).filter(Boolean) : [];
}

/**
 * @param {string} codec such as `vp09.00.10.08`
 * @returns {string} such as `VP9`
 */
export function codecName(codec) {
  return NAMES.find(([pattern]) => pattern.test(codec.toLowerCase()))?.[1] ?? codec;
}

/**
 * @param {string} mime
 * @returns {string} such as `VP8 + Opus`
 */
export function codecNames(mime) {
  const names = codecsOf(mime).map(codecName);
  const sounds = names.filter((name) => SOUNDS.has(name));
  const pictures = names.filter((name) => !SOUNDS.has(name));
  return [...pictures, ...sounds].join(' + ') || mime || '–';
}

/**
 * Why a type cannot be played here, for a person.
 *
 * @param {string} mime a type for which `canPlay` is false
 * @returns {string}
 */
export function explainUnsupported(mime) {
  if (!mediaSourceClass()) {
    return 'This browser has no Media Source Extensions, which live playback needs.';
  }
  const codecs = codecsOf(mime);
  if (codecs.some((codec) => codecName(codec) === 'H.264')) {
    return (
      'This stream is H.264 in Matroska, which no browser’s Media Source Extensions play. ' +
      'Broadcast with VP8 instead.'
    );
  }
  const container = /^[a-z]+\/[a-z0-9.+-]+/i.exec(mime)?.[0] ?? 'video/webm';
  const missing = codecs.filter((codec) => !canPlay(`${container}; codecs="${codec}"`));
  const names = (missing.length ? missing : codecs).map(codecName).join(' and ');
  return names
    ? `This browser cannot play ${names} from a live stream.`
    : `This browser cannot play ${mime || 'this stream'}.`;
}
